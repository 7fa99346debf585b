#include "client/submission.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

#include "client/job_options.h"
#include "client/text.h"
#include "common/check.h"
#include "common/credentials.h"
#include "common/error_detail.h"
#include "common/nearest_name.h"
#include "common/quantity.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int kNodesMax = 4096;
constexpr int kDevicesMax = 64;
constexpr int kPriorityMax = 1000;
constexpr int kRequeuesDefault = 5;
constexpr int kRequeuesMax = 1000;
constexpr double kCpusMax = 65536;

// Reads the options one after the other into a request; the first error stays.
class SpecBuilder {
 public:
  SpecBuilder(const Arguments& arguments, const SubmissionSource& source)
      : arguments_(arguments), source_(source), spec_(*request_.mutable_spec()) {}

  absl::StatusOr<v1::SubmitJobRequest> Build() {
    for (const auto read :
         {&SpecBuilder::ReadTexts, &SpecBuilder::ReadShape, &SpecBuilder::ReadHost,
          &SpecBuilder::ReadTimes, &SpecBuilder::ReadEnvironment, &SpecBuilder::ReadPlaces,
          &SpecBuilder::ReadRequeue, &SpecBuilder::ReadWords, &SpecBuilder::ReadStopSignal}) {
      RETURN_IF_ERROR((this->*read)());
    }
    spec_.set_hold(arguments_.Has("hold"));
    spec_.set_no_borrow(arguments_.Has("no-borrow"));
    spec_.set_not_preemptible(arguments_.Has("no-preempt"));
    request_.set_dry_run(arguments_.Has("dry-run"));
    request_.set_on_behalf_of_tenant(arguments_.Text("tenant"));
    return std::move(request_);
  }

 private:
  absl::Status ReadTexts() {
    for (const char* name : {"name", "comment", "project", "tenant", "idempotency-key"}) {
      const OptionValue* const value = arguments_.Find(name);
      if (value != nullptr && value->text.empty()) {
        return ValueError(*value, "must not be empty");
      }
      if (value != nullptr && CleanText(value->text) != value->text) {
        return ValueError(*value, "holds control characters or broken UTF-8");
      }
    }
    spec_.set_name(arguments_.Text("name"));
    spec_.set_comment(arguments_.Text("comment"));
    spec_.set_project(arguments_.Text("project", source_.project));
    request_.set_idempotency_key(arguments_.Text("idempotency-key"));
    return absl::OkStatus();
  }

  // The option's number, or `fallback`.
  absl::StatusOr<int32_t> Number(absl::string_view name, int fallback, int least, int most) {
    const OptionValue* const value = arguments_.Find(name);
    if (value == nullptr) {
      return fallback;
    }
    ASSIGN_OR_RETURN(const int64_t number, IntegerOf(*value, least, most));
    return static_cast<int32_t>(number);
  }

  absl::Status ReadShape() {
    v1::GangSpec& gang = *spec_.mutable_gang();
    ASSIGN_OR_RETURN(const int32_t nodes, Number("nodes", 1, 1, kNodesMax));
    ASSIGN_OR_RETURN(const int32_t devices, Number("devices", 1, 0, kDevicesMax));
    ASSIGN_OR_RETURN(const int32_t priority, Number("priority", 0, -kPriorityMax, kPriorityMax));
    gang.set_nodes(nodes);
    gang.set_devices_per_node(devices);
    spec_.set_priority(priority);
    if (const OptionValue* const value = arguments_.Find("class"); value != nullptr) {
      const char separator = absl::StrContains(value->text, '|') ? '|' : ',';
      ASSIGN_OR_RETURN(const std::vector<std::string> classes, ListOf(*value, separator));
      gang.mutable_device_classes()->Assign(classes.begin(), classes.end());
    }
    return absl::OkStatus();
  }

  absl::Status ReadHost() {
    v1::HostResources& host = *spec_.mutable_gang()->mutable_per_node();
    if (const OptionValue* const value = arguments_.Find("cpus"); value != nullptr) {
      double cpus = 0;
      if (!absl::SimpleAtod(value->text, &cpus) || !std::isfinite(cpus) || cpus <= 0 ||
          cpus > kCpusMax) {
        return ValueError(*value,
                          absl::StrCat("\"", CleanText(value->text),
                                       "\" is no number of "
                                       "cores"),
                          "write it like 16 or 0.5");
      }
      host.set_cpu_milli(static_cast<int64_t>(std::ceil(cpus * 1000)));
    }
    if (const OptionValue* const value = arguments_.Find("memory"); value != nullptr) {
      const auto memory_mib = ParseMemoryMib(value->text);
      if (!memory_mib.ok() || *memory_mib == 0) {
        return ValueError(
            *value,
            memory_mib.ok() ? "must be more than zero" : CleanText(memory_mib.status().message()),
            "write it like 512MiB or 64GiB");
      }
      host.set_memory_mib(*memory_mib);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<int64_t> Milliseconds(absl::string_view name) {
    const OptionValue* const value = arguments_.Find(name);
    if (value == nullptr) {
      return 0;
    }
    ASSIGN_OR_RETURN(const absl::Duration duration, DurationOf(*value));
    return std::max<int64_t>(absl::ToInt64Milliseconds(duration), 1);
  }

  absl::Status ReadTimes() {
    ASSIGN_OR_RETURN(const int64_t time_limit_ms, Milliseconds("time"));
    ASSIGN_OR_RETURN(const int64_t grace_ms, Milliseconds("grace"));
    ASSIGN_OR_RETURN(const int64_t lease_ms, Milliseconds("lease"));
    spec_.set_time_limit_ms(time_limit_ms);
    spec_.set_grace_ms(grace_ms);
    spec_.set_lease_ms(lease_ms);
    return absl::OkStatus();
  }

  absl::Status ReadEnvironment() {
    for (const OptionValue* value : arguments_.All("env")) {
      const size_t equals = value->text.find('=');
      const std::string name = value->text.substr(0, equals);
      if (name.empty() || absl::ascii_isdigit(static_cast<unsigned char>(name[0])) ||
          !std::all_of(name.begin(), name.end(), [](char c) {
            return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
          })) {
        return ValueError(*value, absl::StrCat("\"", CleanText(name), "\" is no variable's name"),
                          "write --env NAME=VALUE");
      }
      if (equals != std::string::npos) {
        (*spec_.mutable_environment())[name] = value->text.substr(equals + 1);
        continue;
      }
      const auto found = source_.environment->find(name);
      if (found == source_.environment->end()) {
        return ValueError(*value, absl::StrCat("your environment has no ", name),
                          absl::StrCat("write --env ", name, "=VALUE"));
      }
      (*spec_.mutable_environment())[name] = found->second;
    }
    return absl::OkStatus();
  }

  absl::Status ReadPlaces() {
    for (const OptionValue* value : arguments_.All("exclude")) {
      ASSIGN_OR_RETURN(const std::vector<std::string> nodes, ListOf(*value));
      for (const std::string& node : nodes) {
        spec_.mutable_gang()->add_excluded_nodes(node);
      }
    }
    for (const OptionValue* value : arguments_.All("label")) {
      const size_t equals = value->text.find('=');
      if (equals == std::string::npos || equals == 0) {
        return ValueError(*value, absl::StrCat("\"", CleanText(value->text), "\" is not K=V"));
      }
      (*spec_.mutable_gang()->mutable_node_labels())[value->text.substr(0, equals)] =
          value->text.substr(equals + 1);
    }
    if (const OptionValue* const value = arguments_.Find("workdir"); value != nullptr) {
      if (value->text.empty()) {
        return ValueError(*value, "must not be empty");
      }
      spec_.set_working_directory(AbsolutePath(value->text));
    }
    return absl::OkStatus();
  }

  // Relative to the caller's folder, without "." and "..".
  std::string AbsolutePath(const std::string& path) const {
    const std::string whole = path[0] == '/' ? path : absl::StrCat(source_.folder, "/", path);
    std::vector<std::string> parts;
    for (const std::string& part : std::vector<std::string>(absl::StrSplit(whole, '/'))) {
      if (part == ".." && !parts.empty()) {
        parts.pop_back();
      } else if (!part.empty() && part != "." && part != "..") {
        parts.push_back(part);
      }
    }
    return absl::StrCat("/", absl::StrJoin(parts, "/"));
  }

  absl::Status ReadRequeue() {
    v1::RequeuePolicy& policy = *spec_.mutable_requeue();
    const OptionValue* const list = arguments_.Find("requeue");
    policy.set_on_node_fault(list == nullptr);
    policy.set_on_preempt(list == nullptr);
    if (list != nullptr && list->text != "none") {
      ASSIGN_OR_RETURN(const std::vector<std::string> causes, ListOf(*list));
      for (const std::string& cause : causes) {
        if (cause == "node-fault") {
          policy.set_on_node_fault(true);
        } else if (cause == "preempt") {
          policy.set_on_preempt(true);
        } else if (cause == "error") {
          policy.set_on_error(true);
        } else {
          return UnknownWord(*list, cause, {"node-fault", "preempt", "error", "none"});
        }
      }
    }
    ASSIGN_OR_RETURN(const int32_t max_requeues,
                     Number("max-requeues", kRequeuesDefault, 0, kRequeuesMax));
    policy.set_max_requeues(max_requeues);
    for (const OptionValue* value : arguments_.All("requeue-exit")) {
      ASSIGN_OR_RETURN(const int64_t code, IntegerOf(*value, 1, 255));
      policy.add_exit_codes(static_cast<int32_t>(code));
    }
    return absl::OkStatus();
  }

  static absl::Status UnknownWord(const OptionValue& value, const std::string& word,
                                  const std::vector<std::string>& known) {
    const std::string nearest = NearestName(word, known);
    return ValueError(
        value, absl::StrCat("\"", CleanText(word), "\" is none of ", absl::StrJoin(known, ", ")),
        nearest.empty() ? "" : absl::StrCat("did you mean ", nearest, "?"));
  }

  absl::Status ReadWords() {
    if (const OptionValue* const value = arguments_.Find("launch"); value != nullptr) {
      if (value->text != "node" && value->text != "device") {
        return UnknownWord(*value, value->text, {"node", "device"});
      }
      spec_.set_launch(value->text == "node" ? v1::LAUNCH_MODE_NODE : v1::LAUNCH_MODE_DEVICE);
    }
    if (const OptionValue* const value = arguments_.Find("on-node-loss"); value != nullptr) {
      if (value->text == "requeue") {
        spec_.set_on_node_loss(v1::NODE_LOSS_POLICY_REQUEUE);
      } else if (value->text == "hold") {
        spec_.set_on_node_loss(v1::NODE_LOSS_POLICY_HOLD);
      } else if (value->text == "fail") {
        spec_.set_on_node_loss(v1::NODE_LOSS_POLICY_FAIL);
      } else {
        return UnknownWord(*value, value->text, {"requeue", "hold", "fail"});
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadStopSignal() {
    const OptionValue* const value = arguments_.Find("stop-signal");
    if (value == nullptr) {
      return absl::OkStatus();
    }
    static constexpr const char* kSignals[] = {"SIGTERM", "SIGINT",  "SIGHUP",
                                               "SIGQUIT", "SIGUSR1", "SIGUSR2"};
    const std::string upper = absl::AsciiStrToUpper(value->text);
    const std::string name = absl::StartsWith(upper, "SIG") ? upper : absl::StrCat("SIG", upper);
    for (const char* known : kSignals) {
      if (name == known) {
        spec_.set_stop_signal(name);
        return absl::OkStatus();
      }
    }
    return UnknownWord(*value, value->text,
                       {"SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"});
  }

  const Arguments& arguments_;
  const SubmissionSource& source_;
  v1::SubmitJobRequest request_;
  v1::JobSpec& spec_;
};

// The job's name where nobody gave one: the script's or the program's.
std::string NameOf(const std::string& path) {
  const std::string base = path.substr(path.rfind('/') + 1);
  const std::string clean = CleanText(base.substr(0, 128));
  return clean.empty() || clean != base ? "job" : clean;
}

// The options of the file, which only job options may be.
absl::StatusOr<Arguments> ParseDirectives(const JobFile& file) {
  ASSIGN_OR_RETURN(Arguments arguments, ParseArguments(file.directives, {JobOptions()}));
  for (const OptionValue& value : arguments.values) {
    if (value.option->command_line_only) {
      return ErrorAt(value.origin,
                     absl::StrCat("--", value.option->name, " works on the command line only"));
    }
  }
  if (!arguments.words.empty()) {
    return ErrorAt(arguments.words[0].origin,
                   absl::StrCat("\"", CleanText(arguments.words[0].text), "\" is no option"),
                   "options begin with --");
  }
  if (arguments.has_dashes) {
    return ErrorAt(file.directives.back().origin, "\"--\" has no meaning in a #BERTH line");
  }
  return arguments;
}

absl::Status CheckWords(const Arguments& command_line) {
  if (command_line.words.empty() && command_line.after_dashes.empty()) {
    return ErrorAt({}, "there is nothing to run",
                   "write `berth submit FILE`, or `berth submit -- COMMAND ARGUMENTS`");
  }
  if (command_line.words.size() > 1) {
    const std::string second = CleanText(command_line.words[1].text);
    return ErrorAt({}, absl::StrCat("unexpected word \"", second, "\" after the job script"),
                   absl::StrCat("put arguments of the script after \"--\": berth submit ",
                                CleanText(command_line.words[0].text), " -- ", second));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Submission> MakeSubmission(const Arguments& command_line,
                                          const SubmissionSource& source) {
  RETURN_IF_ERROR(CheckWords(command_line));
  Submission submission;
  std::string script;
  std::string named_after;
  if (command_line.words.empty()) {
    named_after = command_line.after_dashes[0];
  } else {
    ASSIGN_OR_RETURN(JobFile file, ReadJobFile(command_line.words[0].text));
    ASSIGN_OR_RETURN(submission.arguments, ParseDirectives(file));
    script = std::move(file.script);
    named_after = std::move(file.path);
    submission.notes = std::move(file.notes);
  }
  auto& values = submission.arguments.values;
  values.insert(values.end(), command_line.values.begin(), command_line.values.end());
  ASSIGN_OR_RETURN(submission.request, SpecBuilder(submission.arguments, source).Build());
  v1::JobSpec& spec = *submission.request.mutable_spec();
  spec.set_script(std::move(script));
  spec.mutable_command()->Assign(command_line.after_dashes.begin(),
                                 command_line.after_dashes.end());
  if (spec.script().empty() && spec.command(0).empty()) {
    return ErrorAt({}, "the command is empty", "write `berth submit -- COMMAND ARGUMENTS`");
  }
  if (spec.name().empty()) {
    spec.set_name(NameOf(named_after));
  }
  if (submission.request.idempotency_key().empty()) {
    submission.request.set_idempotency_key(NewIdempotencyKey(absl::Now()));
  }
  return submission;
}

std::string NewIdempotencyKey(absl::Time now) {
  // Crockford's base 32, as in a ULID: 10 digits of milliseconds, 16 random ones.
  static constexpr char kDigits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string key(26, '0');
  auto rest = static_cast<uint64_t>(absl::ToUnixMillis(now));
  for (size_t i = 10; i > 0; --i, rest /= 32) {
    key[i - 1] = kDigits[rest % 32];
  }
  const std::string random = RandomHex(16);
  for (size_t i = 10; i < key.size(); ++i) {
    unsigned byte = 0;
    BERTH_CHECK(absl::SimpleHexAtoi(random.substr((i - 10) * 2, 2), &byte));
    key[i] = kDigits[byte % 32];
  }
  return key;
}

}  // namespace berth
