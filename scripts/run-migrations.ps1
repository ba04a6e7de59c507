<#
.SYNOPSIS
Migrates one service or all services.

.DESCRIPTION
Calls the orchestrator and exits with its exit code.

.PARAMETER Service
policy, control, ... or all.

.PARAMETER Show
Shows applied and pending migrations.

.PARAMETER Revert
Reverts the last applied migration of each named service.

.PARAMETER DryRun
Prints the SQL that would run without running it.

.PARAMETER Options
Passes all other arguments to the orchestrator, such as --yes or --with-dependencies.

.EXAMPLE
.\scripts\run-migrations.ps1 -Service policy

.EXAMPLE
.\scripts\run-migrations.ps1 -Service all

.EXAMPLE
.\scripts\run-migrations.ps1 -Service policy -Show

.EXAMPLE
.\scripts\run-migrations.ps1 -Service policy -Revert -DryRun
#>
[CmdletBinding(PositionalBinding = $false)]
param(
    [Parameter(Mandatory = $true)]
    [string] $Service,

    [switch] $Show,

    [switch] $Revert,

    [switch] $DryRun,

    [Parameter(ValueFromRemainingArguments = $true)]
    [string[]] $Options = @()
)

$ErrorActionPreference = 'Stop'

if ($Show -and $Revert) {
    [Console]::Error.WriteLine('run-migrations: -Show and -Revert cannot be combined')
    exit 2
}

$action = 'run'
if ($Show) { $action = 'show' }
if ($Revert) { $action = 'revert' }

$arguments = @($action, $Service)
# `show` never writes, so that -DryRun makes no difference.
if ($DryRun -and -not $Show) { $arguments += '--dry-run' }
$arguments += $Options

& (Join-Path $PSScriptRoot 'orchestrator.ps1') @arguments
exit $LASTEXITCODE
