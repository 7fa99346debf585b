// The configuration of the daemon: its keys, and which values can work together.

#include <cerrno>
#include <optional>
#include <string>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "common/address.h"
#include "common/error_detail.h"
#include "common/quantity.h"
#include "common/status_macros.h"
#include "scheduler/server.h"
#include <arpa/inet.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr absl::Duration kFenceAfterDefault = absl::Minutes(2);
// The bound on the clocks' rate error in the lease rule (policy.h).
constexpr double kClockRateError = 0.01;

absl::Status Impossible(absl::string_view message, absl::string_view why, absl::string_view fix) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.code = "B8001", .message = message, .why = why, .fix = fix});
}

std::string Text(absl::Duration duration) {
  return berth::FormatDuration(duration);
}

std::optional<LogLevel> FindLogLevel(absl::string_view name) {
  if (name == "debug") {
    return LogLevel::kDebug;
  }
  if (name == "info") {
    return LogLevel::kInfo;
  }
  if (name == "warning") {
    return LogLevel::kWarning;
  }
  return name == "error" ? std::optional(LogLevel::kError) : std::nullopt;
}

bool IsLoopback(absl::string_view listen) {
  const size_t colon = listen.find_last_of(':');
  const std::string host(listen.substr(0, colon));
  in_addr address{};
  const bool is_ipv4 = inet_pton(AF_INET, host.c_str(), &address) == 1;
  return host == "localhost" || host == "[::1]" || (is_ipv4 && absl::StartsWith(host, "127."));
}

absl::Status CheckListen(const ServerOptions& options) {
  if (const absl::Status form = CheckAddress(options.listen, 0); !form.ok()) {
    return Impossible(absl::StrCat("listen = ", form.message()), "",
                      "for example listen = \"127.0.0.1:7443\"");
  }
  if (options.tls_certificate.empty() != options.tls_key.empty()) {
    return Impossible("[tls] needs both certificate and key", "only one of them is set",
                      "set both, or none for a center on one machine");
  }
  if (options.tls_certificate.empty() && !IsLoopback(options.listen)) {
    return Impossible(
        absl::StrCat("listen = \"", options.listen, "\" needs [tls] certificate and key"),
        "without encryption tokens would travel in the clear",
        "set [tls] certificate and key, or listen on 127.0.0.1");
  }
  return absl::OkStatus();
}

absl::Status CheckLease(const Policy& policy) {
  const absl::Duration most = policy.lease_timeout * (1 + kClockRateError) + policy.kill_timeout;
  if (policy.lost_after * (1 - kClockRateError) >= most) {
    return absl::OkStatus();
  }
  const absl::Duration least = absl::Ceil(most / (1 - kClockRateError), absl::Seconds(1));
  return Impossible(absl::StrCat("[nodes] lost_after = \"", Text(policy.lost_after),
                                 "\" is too short for a "
                                 "lease of ",
                                 Text(policy.lease_timeout)),
                    absl::StrCat("a silent node may run its tasks for ", Text(policy.lease_timeout),
                                 " and needs ", Text(policy.kill_timeout),
                                 " to kill them; with clocks that differ by 1 % in "
                                 "rate nobody can be sure before ",
                                 Text(least)),
                    absl::StrCat("set [nodes] lost_after to \"", Text(least),
                                 "\" or more, or shorten [lease] timeout"));
}

absl::Status CheckTimers(const Policy& policy) {
  if (policy.heartbeat_interval >= policy.suspect_after ||
      policy.suspect_after >= policy.lost_after) {
    return Impossible(
        absl::StrCat("[nodes] heartbeat_interval = \"", Text(policy.heartbeat_interval),
                     "\", suspect_after = \"", Text(policy.suspect_after), "\", lost_after = \"",
                     Text(policy.lost_after), "\" are not in order"),
        "a node is suspect after several heartbeats were missed, and lost later than that",
        "make each one longer than the one before");
  }
  return CheckLease(policy);
}

absl::Status CheckFence(const ServerOptions& options) {
  if (options.loop.fence_command.empty()) {
    return absl::OkStatus();
  }
  const std::string& program = options.loop.fence_command.front();
  if (!absl::StartsWith(program, "/") || access(program.c_str(), X_OK) != 0) {
    return Impossible(absl::StrCat("[nodes] fence_command: cannot run \"", program, "\""),
                      absl::StartsWith(program, "/") ? std::generic_category().message(errno)
                                                     : "it is not an absolute path",
                      "name a program that switches off the node that is its last argument");
  }
  const Policy& policy = options.policy;
  if (policy.fence_after <= policy.suspect_after || policy.fence_after >= policy.lost_after) {
    return Impossible(
        absl::StrCat("[nodes] fence_after = \"", Text(policy.fence_after),
                     "\" is not between suspect_after = \"", Text(policy.suspect_after),
                     "\" and lost_after = \"", Text(policy.lost_after), "\""),
        "before, a node may only be slow; after, nothing is left to release",
        "set a time between them");
  }
  return absl::OkStatus();
}

// A duration between two bounds.
absl::Duration ReadDuration(ConfigFile& file, absl::string_view section, absl::string_view key,
                            absl::Duration fallback,
                            std::pair<absl::Duration, absl::Duration> range) {
  const absl::Duration value = file.Duration(section, key, fallback);
  if (value < range.first || value > range.second) {
    file.Fail(section, key,
              absl::StrCat(key, " must be from ", Text(range.first), " to ", Text(range.second)));
  }
  return value;
}

void ReadFence(ConfigFile& file, ServerOptions& options) {
  const std::pair timer(absl::Milliseconds(10), absl::Hours(24));
  options.loop.fence_command = file.Strings("nodes", "fence_command");
  const absl::Duration after =
      ReadDuration(file, "nodes", "fence_after", kFenceAfterDefault, timer);
  options.loop.fence_timeout =
      ReadDuration(file, "nodes", "fence_timeout", options.loop.fence_timeout, timer);
  if (!options.loop.fence_command.empty()) {
    options.policy.fence_after = after;
    return;
  }
  for (const absl::string_view key : {"fence_after", "fence_timeout"}) {
    if (file.Has("nodes", key)) {
      file.Fail("nodes", key, absl::StrCat(key, " does nothing without fence_command"));
    }
  }
}

void ReadPolicy(ConfigFile& file, ServerOptions& options) {
  Policy& policy = options.policy;
  const std::pair timer(absl::Milliseconds(10), absl::Hours(24 * 7));
  policy.lease_timeout = ReadDuration(file, "lease", "timeout", policy.lease_timeout, timer);
  policy.kill_timeout = ReadDuration(file, "lease", "kill_timeout", policy.kill_timeout, timer);
  policy.heartbeat_interval =
      ReadDuration(file, "nodes", "heartbeat_interval", policy.heartbeat_interval, timer);
  policy.suspect_after = ReadDuration(file, "nodes", "suspect_after", policy.suspect_after, timer);
  policy.lost_after = ReadDuration(file, "nodes", "lost_after", policy.lost_after, timer);
  policy.mass_loss_percent =
      static_cast<int>(file.Integer("nodes", "mass_loss_percent", policy.mass_loss_percent));
  if (policy.mass_loss_percent < 0 || policy.mass_loss_percent > 100) {
    file.Fail("nodes", "mass_loss_percent", "mass_loss_percent must be from 0 to 100");
  }
  policy.mass_loss_window =
      ReadDuration(file, "nodes", "mass_loss_window", policy.mass_loss_window, timer);
  ReadFence(file, options);
  policy.prepare_timeout =
      ReadDuration(file, "scheduling", "prepare_timeout", policy.prepare_timeout, timer);
  options.loop.plan_interval =
      ReadDuration(file, "scheduling", "plan_interval", options.loop.plan_interval,
                   {absl::ZeroDuration(), absl::Minutes(1)});
}

int64_t ReadSize(ConfigFile& file, absl::string_view key, int64_t fallback_bytes) {
  const std::string text =
      file.String("uploads", key, absl::StrCat(fallback_bytes / kBytesPerMib, "MiB"));
  const auto mib = ParseMemoryMib(text);
  if (!mib.ok()) {
    file.Fail("uploads", key, absl::StrCat(key, " must be a size, as \"2GiB\""));
  }
  return mib.value_or(0) * kBytesPerMib;
}

void ReadUploads(ConfigFile& file, UploadOptions& options) {
  options.limits.size_max = ReadSize(file, "size", options.limits.size_max);
  options.limits.entries_max =
      static_cast<int>(file.Integer("uploads", "entries", options.limits.entries_max));
  if (options.limits.entries_max < 1 ||
      options.limits.entries_max > kWorkdirLimitsMost.entries_max) {
    file.Fail("uploads", "entries",
              absl::StrCat("entries must be from 1 to ", kWorkdirLimitsMost.entries_max));
  }
  if (options.limits.size_max > kWorkdirLimitsMost.size_max) {
    file.Fail("uploads", "size", "size must be at most 1TiB");
  }
  options.tenant_size_max = ReadSize(file, "tenant_size", options.tenant_size_max);
  options.disk_reserve = ReadSize(file, "disk_reserve", options.disk_reserve);
  options.keep = ReadDuration(file, "uploads", "keep", options.keep,
                              {absl::Seconds(1), absl::Hours(24 * 365)});
}

}  // namespace

absl::Status CheckServerOptions(const ServerOptions& options) {
  RETURN_IF_ERROR(CheckListen(options));
  RETURN_IF_ERROR(CheckTimers(options.policy));
  return CheckFence(options);
}

absl::StatusOr<ServerOptions> ReadServerOptions(ConfigFile& file) {
  ServerOptions options;
  options.listen = file.String("", "listen", options.listen);
  options.port_file = file.String("", "port_file", options.port_file);
  options.data_dir = file.String("", "data_dir", options.data_dir);
  options.cluster_name = file.String("", "cluster_name", options.cluster_name);
  options.admin_socket = file.String("", "admin_socket", options.admin_socket);
  if (const auto level = FindLogLevel(file.String("", "log_level", "info")); level.has_value()) {
    options.log_level = *level;
  } else {
    file.Fail("", "log_level", "log_level must be debug, info, warning or error");
  }
  if (options.data_dir.empty()) {
    file.Fail("", "data_dir", "data_dir must name a folder");
  }
  options.tls_certificate = file.String("tls", "certificate", options.tls_certificate);
  options.tls_key = file.String("tls", "key", options.tls_key);
  ReadPolicy(file, options);
  ReadUploads(file, options.uploads);
  options.back_up_uploads = file.Boolean("uploads", "backup", options.back_up_uploads);
  RETURN_IF_ERROR(file.Finish());
  RETURN_IF_ERROR(CheckServerOptions(options));
  return options;
}

}  // namespace berth
