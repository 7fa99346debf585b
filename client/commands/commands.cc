#include "client/commands/commands.h"

namespace berth {
namespace {

constexpr const Command* kCommands[] = {
    &kSubmitCommand,
    &kRunCommand,
    &kPsCommand,
    &kShowCommand,
    &kExplainCommand,
    &kLogsCommand,
    &kTopCommand,
    &kWaitCommand,
    &kAllocationsCommand,
    &kExecCommand,
    &kShellCommand,
    &kAttachCommand,
    &kForwardCommand,
    &kCpCommand,
    &kRshCommand,
    &kNotifyCommand,
    &kCancelCommand,
    &kHoldCommand,
    &kReleaseCommand,
    &kUpdateCommand,
    &kRequeueCommand,
    &kRetryCommand,
    &kQuotaCommand,
    &kQuotaSetCommand,
    &kNodeListCommand,
    &kNodeDrainCommand,
    &kNodeUndrainCommand,
    &kNodeConfirmDeadCommand,
    &kNodeEndHoldCommand,
    &kMaintenancePlanCommand,
    &kMaintenanceListCommand,
    &kMaintenanceCancelCommand,
    &kReserveAddCommand,
    &kReserveListCommand,
    &kReserveRemoveCommand,
    &kTenantListCommand,
    &kTenantAddCommand,
    &kTenantSetCommand,
    &kTenantSuspendCommand,
    &kTenantResumeCommand,
    &kProjectAddCommand,
    &kProjectListCommand,
    &kUserAddCommand,
    &kUserListCommand,
    &kTokenCreateCommand,
    &kTokenListCommand,
    &kTokenRevokeCommand,
    &kAdminBootstrapCommand,
    &kAdminStatusCommand,
    &kAdminBackupCreateCommand,
    &kAdminBackupVerifyCommand,
    &kAdminRestoreCommand,
    &kAdminResumeCommand,
    &kAdminAuditVerifyCommand,
    &kWhoAmICommand,
    &kVersionCommand,
    &kHelpCommand,
};

}  // namespace

std::span<const Command* const> AllCommands() {
  return kCommands;
}

}  // namespace berth
