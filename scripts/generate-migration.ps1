<#
.SYNOPSIS
Generates the migration to a service's schema.sql and its revert.

.DESCRIPTION
Calls the orchestrator and exits with its exit code.

.PARAMETER Service
policy, control, ...

.PARAMETER MigrationName
What the migration does, such as AddPolicyTemplates.

.PARAMETER DryRun
Shows the files without writing them.

.PARAMETER Options
Passes all other arguments to the orchestrator, such as --empty.

.EXAMPLE
.\scripts\generate-migration.ps1 -Service policy -MigrationName "AddPolicyTemplates"

.EXAMPLE
.\scripts\generate-migration.ps1 -Service policy -MigrationName "AddPolicyTemplates" -DryRun
#>
[CmdletBinding(PositionalBinding = $false)]
param(
    [Parameter(Mandatory = $true)]
    [string] $Service,

    [Parameter(Mandatory = $true)]
    [string] $MigrationName,

    [switch] $DryRun,

    [Parameter(ValueFromRemainingArguments = $true)]
    [string[]] $Options = @()
)

$ErrorActionPreference = 'Stop'

$arguments = @('generate', $Service, $MigrationName)
if ($DryRun) { $arguments += '--dry-run' }
$arguments += $Options

& (Join-Path $PSScriptRoot 'orchestrator.ps1') @arguments
exit $LASTEXITCODE
