#include "client/commands/secret_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/text.h"
#include "client/views.h"
#include "common/error_detail.h"
#include <fcntl.h>
#include <unistd.h>

namespace berth {
namespace {

// Written beside and renamed, so that a reader sees the old token or the new one.
bool ReplaceFile(const std::string& path, const std::string& text) {
  const std::string beside = absl::StrCat(path, ".", getpid(), ".new");
  const int file = open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    return false;
  }
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       fsync(file) == 0;
  close(file);
  if (!written || rename(beside.c_str(), path.c_str()) != 0) {
    unlink(beside.c_str());
    return false;
  }
  return true;
}

}  // namespace

absl::Status DeliverToken(Context& context, const v1::Token& token, const std::string& secret) {
  const std::string path = context.arguments.Text("token-file");
  if (!path.empty()) {
    if (!ReplaceFile(path, absl::StrCat(secret, "\n"))) {
      return MakeError(absl::StatusCode::kInternal,
                       {.code = "B1105",
                        .message = absl::StrCat("the token ", token.id(),
                                                " was made but cannot be written to ", path),
                        .why = "",
                        .fix = absl::StrCat("berth token revoke ", token.id())});
    }
    context.console.Err(absl::StrCat("token ", token.id(), " written to ", path, "\n"));
    return absl::OkStatus();
  }
  if (!context.output.for_people()) {
    Listing listing = TokenListing({token});
    listing.rows[0].json["secret"] = secret;
    return context.Print(listing);
  }
  context.console.Out(absl::StrCat(secret, "\n"));
  context.console.Hint("this is shown once; keep it in a file of mode 0600\n");
  return absl::OkStatus();
}

Listing TokenListing(const std::vector<v1::Token>& tokens) {
  Listing listing{.kind = "TokenList", .columns = {}, .rows = {}, .name_field = "id"};
  for (const char* header : {"ID", "USER", "TENANT", "ROLE", "STATE", "CREATED", "EXPIRES"}) {
    listing.columns.push_back({.header = header});
  }
  const absl::Time now = absl::Now();
  for (const v1::Token& token : tokens) {
    const bool is_over = token.expires_at_us() != 0 && TimeFromMicros(token.expires_at_us()) < now;
    const char* const state = token.revoked() ? "revoked" : is_over ? "expired" : "active";
    Json json;
    json["id"] = token.id();
    json["user"] = token.user();
    json["tenant"] = token.tenant().empty() ? Json() : Json(token.tenant());
    json["role"] = RoleWord(token.role());
    json["state"] = state;
    json["created_at"] = TimeJson(token.created_at_us());
    json["expires_at"] = TimeJson(token.expires_at_us());
    listing.rows.push_back({
        .json = std::move(json),
        .cells = {token.id(), token.user(), token.tenant(), RoleWord(token.role()), state,
                  TimeForPeople(TimeFromMicros(token.created_at_us()), now),
                  TimeForPeople(TimeFromMicros(token.expires_at_us()), now)}
    });
  }
  return listing;
}

}  // namespace berth
