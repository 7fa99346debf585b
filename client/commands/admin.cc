// What the operator does on the scheduler's machine: over its local socket, or with berthd itself
// while it does not serve.

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/text.h"
#include "client/views.h"
#include "common/error_detail.h"
#include "common/status_macros.h"
#include <unistd.h>

namespace berth {
namespace {

constexpr char kDefaultSocket[] = "/var/lib/berth/admin.sock";
// A backup of a large database takes minutes, and so does the walk along a long audit.
constexpr absl::Duration kLongCall = absl::Hours(1);

constexpr Option kSocketOptions[] = {
    Value("socket", "PATH", "admin_socket of the scheduler (/var/lib/berth/admin.sock)"),
};
constexpr Option kResumeOptions[] = {
    Value("socket", "PATH", "admin_socket of the scheduler (/var/lib/berth/admin.sock)"),
    Flag("now", "no node joined after the backup: do not wait for its lease"),
};
constexpr Option kRestoreOptions[] = {
    Value("config", "FILE", "configuration of the scheduler (/etc/berth/berthd.toml)"),
    Value("cluster-name", "NAME",
          "put the database that is there aside; cluster_name of berthd.toml"),
};

std::string SocketOf(const Context& context) {
  const std::string socket = context.arguments.Text("socket");
  return socket.empty() ? kDefaultSocket : socket;
}

// The scheduler has a working directory of its own.
std::string AbsolutePath(const std::string& path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

// Becomes berthd: the one beside this program, else the one of PATH. Returns only if it fails.
absl::Status BecomeScheduler(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  std::string name = "berthd";
  argv.push_back(name.data());
  std::vector<std::string> words = arguments;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  execv((self.parent_path() / name).c_str(), argv.data());
  execvp(name.c_str(), argv.data());
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B1105",
                    .message = "there is no berthd beside this program or in PATH",
                    .why = std::generic_category().message(errno),
                    .fix = "run this on the scheduler's machine"});
}

std::string StateOf(const v1::GetStatusResponse& status) {
  if (status.recovery()) {
    return absl::StrCat("in recovery: starts nothing; `berth admin resume` from ",
                        TimeForPeople(TimeFromMicros(status.resume_at_us()), absl::Now()), " on");
  }
  return status.disk_full() ? "the disk is full: nothing new is accepted" : "serving";
}

std::string NodesOf(const v1::GetStatusResponse& status) {
  constexpr int kNamed = 8;
  const int silent = status.silent_nodes_size();
  std::vector<std::string> names;
  for (int i = 0; i < std::min(silent, kNamed); ++i) {
    names.push_back(CleanText(status.silent_nodes(i)));
  }
  return silent == 0 ? absl::StrCat(status.nodes(), ", all connected")
                     : absl::StrCat(status.nodes(), ", not connected: ", absl::StrJoin(names, ", "),
                                    silent > kNamed ? " and more" : "");
}

std::string StatusForPeople(const v1::GetStatusResponse& status) {
  const absl::Time backup = TimeFromMicros(status.last_backup_at_us());
  return RenderFacts({
      {"cluster",                                                absl::StrCat(CleanText(status.cluster_name()), " ", status.cluster_id())},
      {"state",                                    StateOf(status)                                                                                },
      {"version",      CleanText(status.server_version())},
      {"epoch",                 absl::StrCat(status.sched_epoch())                                                                                           },
      {"schema",      absl::StrCat(status.schema_version())},
      {"since",              TimeForPeople(TimeFromMicros(status.serving_since_us()),                                                                                                    absl::Now())},
      {"last backup",status.last_backup_at_us() == 0 ? "never: a lost disk loses everything"
                                                      : TimeForPeople(backup,absl::Now())},
      {"jobs",                                            absl::StrCat(status.queued_jobs(),              " queued, ", status.held_jobs(), " held, ",
       status.active_jobs(), " active")},
      {"nodes",                                                        NodesOf(status)                                                                                               },
  });
}

Json StatusJson(const v1::GetStatusResponse& status) {
  Json json;
  json["cluster_id"] = status.cluster_id();
  json["cluster_name"] = status.cluster_name();
  json["server_version"] = status.server_version();
  json["sched_epoch"] = status.sched_epoch();
  json["schema_version"] = status.schema_version();
  json["serving_since"] = TimeJson(status.serving_since_us());
  json["recovery"] = status.recovery();
  json["resume_at"] = TimeJson(status.resume_at_us());
  json["last_backup_at"] = TimeJson(status.last_backup_at_us());
  json["disk_full"] = status.disk_full();
  json["queued_jobs"] = status.queued_jobs();
  json["held_jobs"] = status.held_jobs();
  json["active_jobs"] = status.active_jobs();
  json["nodes"] = status.nodes();
  json["silent_nodes"] =
      std::vector<std::string>(status.silent_nodes().begin(), status.silent_nodes().end());
  return json;
}

absl::StatusOr<int> RunStatus(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 0, ""));
  ASSIGN_OR_RETURN(const auto status, CallLocally(SocketOf(context), v1::GetStatusRequest()));
  if (context.output.for_people()) {
    context.console.Out(StatusForPeople(status));
    return kExitDone;
  }
  Listing listing{.kind = "StatusList", .columns = {}, .rows = {}, .name_field = "cluster_name"};
  listing.rows.push_back({.json = StatusJson(status), .cells = {}});
  RETURN_IF_ERROR(context.Print(listing));
  return kExitDone;
}

absl::StatusOr<int> RunBackupCreate(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1,
                                 "the file, e.g. `berth admin backup create /backup/berth.db`"));
  v1::MakeBackupRequest request;
  request.set_path(AbsolutePath(context.arguments.words[0].text));
  ASSIGN_OR_RETURN(const auto made, CallLocally(SocketOf(context), request, kLongCall));
  if (context.output.for_people()) {
    context.console.Out(absl::StrCat(request.path(), ": ", made.live_jobs(), " live and ",
                                     made.ended_jobs(), " ended jobs, ", made.audit_rows(),
                                     " audit rows, ", made.size_bytes(), " bytes; checked\n"));
    return kExitDone;
  }
  Json json;
  json["path"] = request.path();
  json["size_bytes"] = made.size_bytes();
  json["live_jobs"] = made.live_jobs();
  json["ended_jobs"] = made.ended_jobs();
  json["audit_rows"] = made.audit_rows();
  Listing listing{.kind = "BackupList", .columns = {}, .rows = {}, .name_field = "path"};
  listing.rows.push_back({.json = std::move(json), .cells = {}});
  RETURN_IF_ERROR(context.Print(listing));
  return kExitDone;
}

absl::StatusOr<int> RunBackupVerify(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 1, 1,
                                 "the file, e.g. `berth admin backup verify /backup/berth.db`"));
  return BecomeScheduler({"--verify-backup", AbsolutePath(context.arguments.words[0].text)});
}

absl::StatusOr<int> RunRestore(Context& context) {
  RETURN_IF_ERROR(
      CheckWordCount(context.arguments, 1, 1, "the file, e.g. `berth admin restore FILE`"));
  std::vector<std::string> words = {"--restore", AbsolutePath(context.arguments.words[0].text)};
  for (const char* option : {"config", "cluster-name"}) {
    if (const std::string value = context.arguments.Text(option); !value.empty()) {
      words.push_back(absl::StrCat("--", option));
      words.push_back(value);
    }
  }
  return BecomeScheduler(words);
}

absl::StatusOr<int> RunResume(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 0, ""));
  v1::ResumeRequest request;
  request.set_now(context.arguments.Has("now"));
  RETURN_IF_ERROR(CallLocally(SocketOf(context), request).status());
  context.console.Out(
      "resumed: jobs start again. What the restore held stays so: berth ps --state held\n");
  return kExitDone;
}

absl::StatusOr<int> RunAuditVerify(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 0, ""));
  RETURN_IF_ERROR(CallLocally(SocketOf(context), v1::VerifyAuditRequest(), kLongCall).status());
  context.console.Out("the audit is whole: every row follows the row before it\n");
  return kExitDone;
}

}  // namespace

const Command kAdminStatusCommand = {
    .name = "admin status",
    .plural = nullptr,
    .group = CommandGroup::kScheduler,
    .summary = "state, epoch, last backup and nodes of the scheduler",
    .usage = "[OPTIONS]",
    .examples =
        "berth admin status\n"
        "berth admin status --socket DATA_DIR/admin.sock\n"
        "berth admin status -o json\n",
    .options = kSocketOptions,
    .takes_job_options = false,
    .run = RunStatus,
};

const Command kAdminBackupCreateCommand = {
    .name = "admin backup create",
    .plural = nullptr,
    .group = CommandGroup::kScheduler,
    .summary = "a checked copy of database and uploads, while it serves",
    .usage = "FILE [OPTIONS]",
    .examples =
        "berth admin backup create /backup/berth-$(date +%F).db\n"
        "berth admin backup create ./now.db --socket DATA_DIR/admin.sock\n"
        "berth admin backup create /backup/b.db -o json\n",
    .options = kSocketOptions,
    .takes_job_options = false,
    .run = RunBackupCreate,
};

const Command kAdminBackupVerifyCommand = {
    .name = "admin backup verify",
    .plural = nullptr,
    .group = CommandGroup::kScheduler,
    .summary = "check every page, reference, audit row and upload of a backup",
    .usage = "FILE",
    .examples =
        "berth admin backup verify /backup/berth-2026-04-12.db\n"
        "berth admin backup verify ./now.db\n"
        "berth admin backup verify FILE && cp FILE /offsite/\n",
    .options = {},
    .takes_job_options = false,
    .run = RunBackupVerify,
};

const Command kAdminRestoreCommand = {
    .name = "admin restore",
    .plural = nullptr,
    .group = CommandGroup::kScheduler,
    .summary = "put a backup in the database's place; berthd is stopped",
    .usage = "FILE [OPTIONS]",
    .examples =
        "berth admin restore /backup/berth-2026-04-12.db\n"
        "berth admin restore FILE --cluster-name center\n"
        "berth admin restore FILE --config ./berthd.toml\n",
    .options = kRestoreOptions,
    .takes_job_options = false,
    .run = RunRestore,
};

const Command kAdminResumeCommand = {
    .name = "admin resume",
    .plural = nullptr,
    .group = CommandGroup::kScheduler,
    .summary = "end the recovery after a restore: start jobs again",
    .usage = "[OPTIONS]",
    .examples =
        "berth admin resume\n"
        "berth admin resume --now\n"
        "berth admin resume --socket DATA_DIR/admin.sock\n",
    .options = kResumeOptions,
    .takes_job_options = false,
    .run = RunResume,
};

const Command kAdminAuditVerifyCommand = {
    .name = "admin audit verify",
    .plural = nullptr,
    .group = CommandGroup::kScheduler,
    .summary = "check the hash chain of the audit record",
    .usage = "[OPTIONS]",
    .examples =
        "berth admin audit verify\n"
        "berth admin audit verify --socket DATA_DIR/admin.sock\n"
        "berth admin audit verify || echo broken\n",
    .options = kSocketOptions,
    .takes_job_options = false,
    .run = RunAuditVerify,
};

}  // namespace berth
