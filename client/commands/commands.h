#ifndef BERTH_CLIENT_COMMANDS_COMMANDS_H_
#define BERTH_CLIENT_COMMANDS_COMMANDS_H_

// Every command of `berth`, in the order of the help text.

#include <span>
#include <string>

#include "client/command.h"

namespace berth {

// Of the commands that take nothing else.
inline constexpr Option kOfTenantOptions[] = {
    Value("tenant", "TENANT", "of this tenant (yours)"),
};

extern const Command kSubmitCommand;
extern const Command kRunCommand;
extern const Command kPsCommand;
extern const Command kShowCommand;
extern const Command kExplainCommand;
extern const Command kLogsCommand;
extern const Command kTopCommand;
extern const Command kWaitCommand;
extern const Command kAllocationsCommand;
extern const Command kExecCommand;
extern const Command kShellCommand;
extern const Command kAttachCommand;
extern const Command kForwardCommand;
extern const Command kCpCommand;
extern const Command kRshCommand;
extern const Command kNotifyCommand;
extern const Command kCancelCommand;
extern const Command kHoldCommand;
extern const Command kReleaseCommand;
extern const Command kUpdateCommand;
extern const Command kRequeueCommand;
extern const Command kRetryCommand;
extern const Command kQuotaCommand;
extern const Command kQuotaSetCommand;
extern const Command kNodeListCommand;
extern const Command kNodeDrainCommand;
extern const Command kNodeUndrainCommand;
extern const Command kNodeConfirmDeadCommand;
extern const Command kNodeEndHoldCommand;
extern const Command kMaintenancePlanCommand;
extern const Command kMaintenanceListCommand;
extern const Command kMaintenanceCancelCommand;
extern const Command kReserveAddCommand;
extern const Command kReserveListCommand;
extern const Command kReserveRemoveCommand;
extern const Command kTenantListCommand;
extern const Command kTenantAddCommand;
extern const Command kTenantSetCommand;
extern const Command kTenantSuspendCommand;
extern const Command kTenantResumeCommand;
extern const Command kProjectAddCommand;
extern const Command kProjectListCommand;
extern const Command kUserAddCommand;
extern const Command kUserListCommand;
extern const Command kTokenCreateCommand;
extern const Command kTokenListCommand;
extern const Command kTokenRevokeCommand;
extern const Command kAdminBootstrapCommand;
extern const Command kAdminStatusCommand;
extern const Command kAdminBackupCreateCommand;
extern const Command kAdminBackupVerifyCommand;
extern const Command kAdminRestoreCommand;
extern const Command kAdminResumeCommand;
extern const Command kAdminAuditVerifyCommand;
extern const Command kWhoAmICommand;
extern const Command kVersionCommand;
extern const Command kHelpCommand;

std::span<const Command* const> AllCommands();

// The text of `berth --help`; fits a screen of 24 lines.
std::string OverallHelp();
// The text of `berth NAME --help`: examples first.
std::string CommandHelp(const Command& command);

}  // namespace berth

#endif  // BERTH_CLIENT_COMMANDS_COMMANDS_H_
