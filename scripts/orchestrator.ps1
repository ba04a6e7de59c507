<#
.SYNOPSIS
Runs the orchestrator from the project root.

.DESCRIPTION
Passes all arguments to the binary in ORCHESTRATOR_BIN (a file, or a command on the PATH), or to the workspace's own
through cargo. Exits with the orchestrator's exit code.

.EXAMPLE
.\scripts\orchestrator.ps1 status
#>

$ErrorActionPreference = 'Stop'
# A nonzero exit code is passed on, not raised as an exception.
$PSNativeCommandUseErrorActionPreference = $false

if ($env:ORCHESTRATOR_BIN) {
    # The full path, because the working directory changes below.
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
