<#
.SYNOPSIS
Migrates all services in dependency order.

.DESCRIPTION
Equivalent to run-migrations.ps1 -Service all. Accepts its other parameters.

.EXAMPLE
.\scripts\run-all-migrations.ps1

.EXAMPLE
.\scripts\run-all-migrations.ps1 -DryRun
#>
[CmdletBinding(PositionalBinding = $false)]
param(
    [switch] $Show,

    [switch] $Revert,

    [switch] $DryRun,

    [Parameter(ValueFromRemainingArguments = $true)]
    [string[]] $Options = @()
)

$ErrorActionPreference = 'Stop'

& (Join-Path $PSScriptRoot 'run-migrations.ps1') -Service all -Show:$Show -Revert:$Revert -DryRun:$DryRun @Options
exit $LASTEXITCODE
