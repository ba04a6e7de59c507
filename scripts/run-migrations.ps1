<#
.SYNOPSIS
Migrates one service or all of them.

.DESCRIPTION
Calls the orchestrator, and exits with its exit code.

.PARAMETER Service
policy, control, ... or all.

.PARAMETER Show
What is applied and what is pending.

.PARAMETER Revert
Takes back the last applied migration of each named service.

.PARAMETER DryRun
Prints the SQL that would run, and writes nothing.

.PARAMETER Options
Everything else goes to the orchestrator, such as --yes or --with-dependencies.

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
    [Console]::Error.WriteLine('run-migrations: either -Show or -Revert')
    exit 2
}

$action = 'run'
if ($Show) { $action = 'show' }
if ($Revert) { $action = 'revert' }

$arguments = @($action, $Service)
# Showing never writes, so that a dry run of it is the same.
if ($DryRun -and -not $Show) { $arguments += '--dry-run' }
$arguments += $Options

& (Join-Path $PSScriptRoot 'orchestrator.ps1') @arguments
exit $LASTEXITCODE
