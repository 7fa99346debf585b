// Submissions: form and bounds of everything that a user can write into a job.

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "common/config_file.h"
#include "common/credentials.h"
#include "common/error_detail.h"
#include "common/sha256_sum.h"
#include "common/status_macros.h"
#include "scheduler/convert.h"
#include "scheduler/convert_array.h"
#include "scheduler/convert_gang.h"
#include "scheduler/convert_text.h"
#include "scheduler/core/names.h"

namespace berth {
namespace {

constexpr size_t kJobNameBytesMax = 128;
constexpr size_t kCommentBytesMax = 4096;
constexpr size_t kScriptBytesMax = 1 << 20;
constexpr size_t kCommandBytesMax = 1 << 20;
constexpr int kVariablesMax = 1000;
constexpr size_t kEnvironmentBytesMax = 256 << 10;
constexpr size_t kPathBytesMax = 4095;
constexpr size_t kImageBytesMax = 1024;
constexpr size_t kIdempotencyKeyBytesMax = 128;
constexpr int kPriorityMax = 1000;
constexpr int kRequeuesMax = 100;
constexpr int kExitCodesMax = 32;
constexpr absl::Duration kTimeLimitMax = absl::Hours(24 * 365);
constexpr absl::Duration kLeaseMin = absl::Minutes(1);
constexpr absl::Duration kLeaseMax = absl::Hours(24);
constexpr std::array<const char*, 6> kStopSignals = {"SIGTERM", "SIGINT", "SIGUSR1",
                                                     "SIGUSR2", "SIGHUP", "SIGQUIT"};

// An absolute path, or a reference as registries have them. Never an option of a program.
absl::Status CheckImage(const std::string& image) {
  if (image.empty()) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(CheckPlainText("image", image, kImageBytesMax));
  if (absl::StrContains(image, ' ') || absl::StartsWith(image, "-")) {
    return Refused("B1227", absl::StrCat("the image cannot be ", Quoted(image)),
                   "it is neither a reference to an image nor an absolute path",
                   "for example registry.example/pytorch:2.5, or a folder of the nodes");
  }
  return absl::OkStatus();
}

std::string BaseName(absl::string_view path) {
  const size_t slash = path.find_last_of('/');
  return std::string(slash == absl::string_view::npos ? path : path.substr(slash + 1));
}

// The name that was given, or else one from the command.
absl::StatusOr<std::string> JobName(const v1::JobSpec& spec) {
  if (!spec.name().empty()) {
    RETURN_IF_ERROR(CheckPlainText("job's name", spec.name(), kJobNameBytesMax));
    return spec.name();
  }
  if (!spec.script().empty()) {
    return std::string("script");
  }
  std::string name = MakePlain(BaseName(spec.command(0)), kJobNameBytesMax);
  return name.empty() ? std::string("job") : name;
}

absl::Status CheckCommand(const v1::JobSpec& spec) {
  if (spec.script().empty() && (spec.command().empty() || spec.command(0).empty())) {
    return Refused("B1220", "the job has no command", "neither a command nor a script was given",
                   "berth submit FILE, or berth submit -- COMMAND");
  }
  if (spec.script().size() > kScriptBytesMax) {
    return Refused("B1220", absl::StrCat("the script has ", spec.script().size(), " bytes"),
                   absl::StrCat("a script may have ", kScriptBytesMax),
                   "keep large parts in files and read them from the script");
  }
  if (absl::StrContains(spec.script(), '\0')) {
    return Refused("B1220", "the script contains a NUL byte", "a script is a text file",
                   "submit a program as a command: berth submit -- ./program");
  }
  size_t bytes = 0;
  for (const std::string& word : spec.command()) {
    bytes += word.size() + 1;
    if (absl::StrContains(word, '\0')) {
      return Refused("B1220", "an argument of the command contains a NUL byte",
                     "no program can be given such an argument", "");
    }
  }
  if (bytes > kCommandBytesMax) {
    return Refused("B1220", absl::StrCat("the command has ", bytes, " bytes"),
                   absl::StrCat("a command with its arguments may have ", kCommandBytesMax),
                   "put long lists into a file");
  }
  return absl::OkStatus();
}

absl::Status CheckVariable(const std::string& name, const std::string& value) {
  if (!IsVariableName(name)) {
    return Refused("B1221", absl::StrCat("no variable can be called ", Quoted(name)),
                   "names are letters, digits and '_', and do not begin with a digit", "");
  }
  if (absl::StartsWith(name, "BERTH_")) {
    return Refused("B1221", absl::StrCat("a job cannot set ", Quoted(name)),
                   "variables that begin with BERTH_ are set by Berth itself",
                   "choose another name");
  }
  if (absl::StrContains(value, '\0')) {
    return Refused("B1221", absl::StrCat("the value of ", Quoted(name), " contains a NUL byte"),
                   "no environment can hold it", "");
  }
  return absl::OkStatus();
}

absl::Status CheckEnvironment(const v1::JobSpec& spec) {
  if (spec.environment_size() > kVariablesMax) {
    return Refused("B1221", absl::StrCat("the job sets ", spec.environment_size(), " variables"),
                   absl::StrCat("it may set ", kVariablesMax), "read settings from a file");
  }
  size_t bytes = 0;
  for (const auto& [name, value] : spec.environment()) {
    RETURN_IF_ERROR(CheckVariable(name, value));
    bytes += name.size() + value.size() + 2;
  }
  if (bytes > kEnvironmentBytesMax) {
    return Refused("B1221", absl::StrCat("the environment has ", bytes, " bytes"),
                   absl::StrCat("it may have ", kEnvironmentBytesMax), "read settings from a file");
  }
  return absl::OkStatus();
}

absl::Status CheckWorkingDirectory(absl::string_view path) {
  if (path.empty()) {
    return absl::OkStatus();
  }
  const auto refuse = [path](absl::string_view why) {
    return Refused("B1222", absl::StrCat("the working directory cannot be ", Quoted(path)), why,
                   "give an absolute path that exists on the nodes");
  };
  if (path.front() != '/') {
    return refuse("it is not an absolute path");
  }
  if (path.size() > kPathBytesMax) {
    return refuse(absl::StrCat("it has more than ", kPathBytesMax, " bytes"));
  }
  if (!IsPlainText(path)) {
    return refuse("it contains control characters");
  }
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part == "..") {
      return refuse("it contains \"..\"");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckUpload(const v1::JobSpec& spec) {
  if (spec.workdir_sha256().empty()) {
    return absl::OkStatus();
  }
  if (spec.workdir_sha256().size() != kSha256Bytes) {
    return Refused("B1222", "the name of the uploaded folder is no SHA-256", "",
                   "submit with --workdir and the folder");
  }
  if (!spec.working_directory().empty()) {
    return Refused("B1222", "the job names both a folder of the nodes and an uploaded one",
                   "it starts in one of them", "give one of them");
  }
  return absl::OkStatus();
}

absl::Status CheckStopSignal(absl::string_view name) {
  if (name.empty()) {
    return absl::OkStatus();
  }
  for (const char* known : kStopSignals) {
    if (name == known) {
      return absl::OkStatus();
    }
  }
  return Refused("B1223", absl::StrCat(Quoted(name), " cannot be the stop signal"),
                 "it can be SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP or SIGQUIT",
                 "leave it out for SIGTERM");
}

absl::Status CheckTimes(const v1::JobSpec& spec) {
  const int64_t limit_ms = spec.time_limit_ms();
  RETURN_IF_ERROR(CheckRange("the time limit in milliseconds", limit_ms, 0,
                             absl::ToInt64Milliseconds(kTimeLimitMax)));
  RETURN_IF_ERROR(CheckRange("the grace in milliseconds", spec.grace_ms(), 0,
                             absl::ToInt64Milliseconds(kTimeLimitMax)));
  if (limit_ms != 0 && spec.grace_ms() >= limit_ms) {
    return Refused(
        "B1224",
        absl::StrCat("a grace of ", berth::FormatDuration(absl::Milliseconds(spec.grace_ms())),
                     " does not fit a time limit of ",
                     berth::FormatDuration(absl::Milliseconds(limit_ms))),
        "the grace is the last part of the time limit", "shorten the grace or raise the limit");
  }
  if (spec.lease_ms() != 0) {
    RETURN_IF_ERROR(CheckLength("the lease", spec.lease_ms(), kLeaseMin, kLeaseMax));
  }
  return absl::OkStatus();
}

// Each node counts by itself how long nobody has used the task there.
absl::Status CheckInteractive(const v1::JobSpec& spec) {
  RETURN_IF_ERROR(CheckRange("the idle limit in milliseconds", spec.idle_ms(), 0,
                             absl::ToInt64Milliseconds(kTimeLimitMax)));
  if (spec.idle_ms() > 0 &&
      (spec.gang().nodes() > 1 || spec.has_array() || spec.matrix_size() > 0)) {
    return Refused("B1230", "an interactive job has one node, and is no array",
                   "its idle limit ends every node where nobody works",
                   "submit the job, and enter it with `berth shell JOB`");
  }
  return absl::OkStatus();
}

absl::StatusOr<RequeuePolicy> ToRequeuePolicy(const v1::JobSpec& spec) {
  RequeuePolicy policy;
  if (!spec.has_requeue()) {
    return policy;
  }
  const v1::RequeuePolicy& asked = spec.requeue();
  RETURN_IF_ERROR(CheckRange("the number of requeues", asked.max_requeues(), 0, kRequeuesMax));
  RETURN_IF_ERROR(CheckRange("the number of exit codes that ask for a requeue",
                             asked.exit_codes_size(), 0, kExitCodesMax));
  for (const int code : asked.exit_codes()) {
    RETURN_IF_ERROR(CheckRange("an exit code that asks for a requeue", code, 1, 255));
  }
  policy.on_node_fault = asked.on_node_fault();
  policy.on_preempt = asked.on_preempt();
  policy.on_error = asked.on_error();
  policy.max_requeues = asked.max_requeues();
  policy.exit_codes.assign(asked.exit_codes().begin(), asked.exit_codes().end());
  return policy;
}

NodeLossPolicy ToNodeLossPolicy(v1::NodeLossPolicy policy) {
  switch (policy) {
    case v1::NODE_LOSS_POLICY_HOLD:
      return NodeLossPolicy::kHold;
    case v1::NODE_LOSS_POLICY_FAIL:
      return NodeLossPolicy::kFail;
    case v1::NODE_LOSS_POLICY_UNSPECIFIED:
    case v1::NODE_LOSS_POLICY_REQUEUE:
    case v1::NodeLossPolicy_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::NodeLossPolicy_INT_MAX_SENTINEL_DO_NOT_USE_:
      return NodeLossPolicy::kRequeue;
  }
  return NodeLossPolicy::kRequeue;
}

absl::Status CheckTexts(const v1::SubmitJobRequest& request) {
  const v1::JobSpec& spec = request.spec();
  if (!spec.project().empty()) {
    RETURN_IF_ERROR(CheckName("project", spec.project()));
  }
  if (!request.on_behalf_of_tenant().empty()) {
    RETURN_IF_ERROR(CheckName("tenant", request.on_behalf_of_tenant()));
  }
  RETURN_IF_ERROR(CheckPlainText("comment", spec.comment(), kCommentBytesMax));
  RETURN_IF_ERROR(
      CheckPlainText("idempotency key", request.idempotency_key(), kIdempotencyKeyBytesMax));
  if (!v1::LaunchMode_IsValid(spec.launch()) || !v1::NodeLossPolicy_IsValid(spec.on_node_loss())) {
    return Refused("B1218", "the job uses a launch mode or node-loss policy unknown here",
                   "the client is newer than this scheduler", "use a client of this version");
  }
  return absl::OkStatus();
}

// The parts that only the agents look at.
absl::Status CheckPayload(const v1::JobSpec& spec) {
  RETURN_IF_ERROR(CheckCommand(spec));
  RETURN_IF_ERROR(CheckEnvironment(spec));
  RETURN_IF_ERROR(CheckWorkingDirectory(spec.working_directory()));
  RETURN_IF_ERROR(CheckUpload(spec));
  RETURN_IF_ERROR(CheckImage(spec.image()));
  return CheckStopSignal(spec.stop_signal());
}

}  // namespace

absl::StatusOr<SubmitJob> ToSubmitJob(const v1::SubmitJobRequest& request) {
  const v1::JobSpec& spec = request.spec();
  RETURN_IF_ERROR(CheckTexts(request));
  RETURN_IF_ERROR(CheckPayload(spec));
  RETURN_IF_ERROR(CheckTimes(spec));
  RETURN_IF_ERROR(CheckInteractive(spec));
  RETURN_IF_ERROR(CheckSize("the disk limit", spec.disk_mib()));
  RETURN_IF_ERROR(CheckRange("the priority", spec.priority(), -kPriorityMax, kPriorityMax));
  SubmitJob event;
  event.tenant = request.on_behalf_of_tenant();
  event.project = spec.project();
  event.device_classes = {spec.gang().device_classes().begin(), spec.gang().device_classes().end()};
  event.dry_run = request.dry_run();
  JobSpec& job = event.spec;
  ASSIGN_OR_RETURN(job.name, JobName(spec));
  ASSIGN_OR_RETURN(job.gang, ToGangShape(spec));
  ASSIGN_OR_RETURN(job.array, ToArrayRange(spec));
  ASSIGN_OR_RETURN(job.dependencies, ToDependencies(spec));
  ASSIGN_OR_RETURN(job.begin_at, ToBeginTime(spec));
  ASSIGN_OR_RETURN(job.requeue, ToRequeuePolicy(spec));
  job.time_limit = absl::Milliseconds(spec.time_limit_ms());
  job.grace = absl::Milliseconds(spec.grace_ms());
  job.priority = spec.priority();
  job.preemptible = !spec.not_preemptible();
  job.may_borrow = !spec.no_borrow();
  job.hold = spec.hold();
  job.launch_per_device = spec.launch() == v1::LAUNCH_MODE_DEVICE;
  job.on_node_loss = ToNodeLossPolicy(spec.on_node_loss());
  job.lease_ms = spec.lease_ms();
  return event;
}

SubmitPayload ToSubmitPayload(const v1::SubmitJobRequest& request) {
  SubmitPayload payload;
  payload.idempotency_key = request.idempotency_key();
  {
    // Deterministic, so that a repeated submission has the same hash whatever the order in which
    // the maps were filled.
    google::protobuf::io::StringOutputStream stream(&payload.payload);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    request.spec().SerializeToCodedStream(&coded);
  }
  payload.payload_hash = Sha256(payload.payload);
  payload.upload = request.spec().workdir_sha256();
  return payload;
}

}  // namespace berth
