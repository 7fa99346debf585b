#include "scheduler/rpc/auth.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "common/credentials.h"
#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr char kScheme[] = "Bearer ";
// Compared against when the id is unknown, so that both ways take the same steps.
constexpr char kNoHash[] = "00000000000000000000000000000000";

absl::Status Unauthenticated(absl::string_view code, absl::string_view message,
                             absl::string_view fix) {
  return MakeError(absl::StatusCode::kUnauthenticated,
                   {.code = code, .message = message, .why = "", .fix = fix});
}

// The same for an unknown id and a wrong secret: nobody learns which ids exist.
absl::Status UnknownToken() {
  return Unauthenticated("B7103", "the token is not known here",
                         "ask for a new token: `berth token create`");
}

Actor ToActor(const Token& token, const AccessDirectory& directory) {
  Actor actor;
  actor.user = token.user;
  actor.node = token.node;
  actor.tenant = token.tenant;
  actor.role = token.role;
  actor.token_id = token.id;
  if (const auto user = directory.users.find(token.user); user != directory.users.end()) {
    actor.user_name = user->second.name;
  }
  return actor;
}

bool IsSuspended(const AccessDirectory& directory, TenantId tenant) {
  const auto found = directory.suspended.find(tenant);
  return found != directory.suspended.end() && found->second;
}

// A job's token ends with its task, and with its user. What runs of a suspended tenant goes on.
absl::Status CheckHolder(const std::optional<JobTokenHolder>& holder,
                         const AccessDirectory& directory) {
  if (!holder.has_value()) {
    return UnknownToken();
  }
  return directory.users.contains(holder->user)
             ? absl::OkStatus()
             : Unauthenticated("B7104", "the job's token was revoked", "the job's user is gone");
}

absl::StatusOr<Principal> JobPrincipal(const std::optional<JobTokenHolder>& holder,
                                       const std::string& token_id,
                                       const AccessDirectory& directory) {
  RETURN_IF_ERROR(CheckHolder(holder, directory));
  return Principal{
      .actor = {.user = holder->user,
                .node = NodeId(),
                .tenant = holder->tenant,
                .role = Role::kMember,
                .token_id = token_id,
                .user_name = directory.users.at(holder->user).name},
      .tenant_suspended = IsSuspended(directory, holder->tenant),
      .job = holder->job
  };
}

}  // namespace

void Authenticator::SetDirectory(std::shared_ptr<const AccessDirectory> directory) {
  absl::MutexLock lock(&mu_);
  directory_ = std::move(directory);
}

std::shared_ptr<const AccessDirectory> Authenticator::directory() const {
  absl::ReaderMutexLock lock(&mu_);
  return directory_;
}

absl::Status Authenticator::CheckLifetime(const Token& token) const {
  if (token.revoked) {
    return Unauthenticated("B7104", "the token was revoked",
                           "ask for a new token: `berth token create`");
  }
  if (token.expires_at <= clock_.Now()) {
    return Unauthenticated(
        "B7102",
        absl::StrCat("the token expired at ",
                     absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", token.expires_at, absl::UTCTimeZone())),
        "ask for a new token: `berth token create`");
  }
  return absl::OkStatus();
}

absl::StatusOr<Principal> Authenticator::Authenticate(absl::string_view header) const {
  if (header.empty()) {
    return Unauthenticated("B7101", "this call needs a token",
                           "set BERTH_TOKEN or BERTH_TOKEN_FILE, or token_file in "
                           "~/.config/berth/config.toml");
  }
  if (!absl::ConsumePrefix(&header, kScheme)) {
    return Unauthenticated("B7101", "the call's authorization is not a bearer token",
                           "send \"authorization: Bearer brth_...\"");
  }
  ASSIGN_OR_RETURN(const BearerToken presented, ParseBearerToken(header));
  const auto directory = this->directory();
  if (directory == nullptr) {
    return MakeError(absl::StatusCode::kUnavailable, {.code = "B8101",
                                                      .message = "the scheduler is starting",
                                                      .why = "",
                                                      .fix = "try again in a moment"});
  }
  const auto found = directory->tokens.find(presented.id);
  const bool exists = found != directory->tokens.end();
  const bool matches = EqualInConstantTime(Sha256(presented.secret.Reveal()),
                                           exists ? found->second.secret_hash : kNoHash);
  if (!exists || !matches) {
    return JobPrincipal(job_tokens_.Find(presented), presented.id, *directory);
  }
  RETURN_IF_ERROR(CheckLifetime(found->second));
  return Principal{.actor = ToActor(found->second, *directory),
                   .tenant_suspended = IsSuspended(*directory, found->second.tenant),
                   .job = JobId()};
}

absl::Status Authenticator::Recheck(absl::string_view token_id) const {
  const auto directory = this->directory();
  if (directory == nullptr) {
    return UnknownToken();
  }
  const auto found = directory->tokens.find(std::string(token_id));
  return found == directory->tokens.end() ? CheckHolder(job_tokens_.Find(token_id), *directory)
                                          : CheckLifetime(found->second);
}

std::string Authenticator::NodeName(NodeId id) const {
  const auto directory = this->directory();
  if (directory == nullptr) {
    return "";
  }
  const auto found = directory->nodes.find(id);
  return found == directory->nodes.end() ? "" : found->second;
}

}  // namespace berth
