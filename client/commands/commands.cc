#include "client/commands/commands.h"

namespace berth {

std::span<const Command* const> AllCommands() {
  static constexpr const Command* kCommands[] = {
      &kSubmitCommand,
      &kRunCommand,
      &kPsCommand,
      &kShowCommand,
      &kLogsCommand,
      &kWaitCommand,
      &kAllocationsCommand,
      &kCancelCommand,
      &kHoldCommand,
      &kReleaseCommand,
      &kQuotaCommand,
      &kQuotaSetCommand,
      &kNodeListCommand,
      &kNodeDrainCommand,
      &kNodeUndrainCommand,
      &kTenantAddCommand,
      &kTenantListCommand,
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
