#include "client/commands/commands.h"

namespace berth {

std::span<const Command* const> AllCommands() {
  static constexpr const Command* kCommands[] = {
      &kSubmitCommand,
      &kRunCommand,
      &kPsCommand,
      &kShowCommand,
      &kExplainCommand,
      &kLogsCommand,
      &kWaitCommand,
      &kAllocationsCommand,
      &kCancelCommand,
      &kHoldCommand,
      &kReleaseCommand,
      &kUpdateCommand,
      &kRequeueCommand,
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
  return kCommands;
}

}  // namespace berth
