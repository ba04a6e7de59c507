<#
.SYNOPSIS
Runs the orchestrator from the root of the project.

.DESCRIPTION
All arguments go to the binary in ORCHESTRATOR_BIN (a file, or a command on the PATH), else to the workspace's own
through cargo. The exit code is the orchestrator's.

.EXAMPLE
.\scripts\orchestrator.ps1 status
#>

$ErrorActionPreference = 'Stop'
# An exit code other than 0 is an answer to pass on, never an exception.
$PSNativeCommandUseErrorActionPreference = $false

if ($env:ORCHESTRATOR_BIN) {
    # The full path, so that a relative one is still found below.
    $program = (Get-Command -CommandType Application -Name $env:ORCHESTRATOR_BIN | Select-Object -First 1).Source
    $arguments = @($args)
} else {
    $program = 'cargo'
    $arguments = @('run', '--quiet', '--package', 'orchestrator', '--') + @($args)
}

$code = 1
Push-Location -Path (Split-Path -Parent $PSScriptRoot)
try {
    & $program @arguments
    $code = $LASTEXITCODE
} finally {
    Pop-Location
}
exit $code
