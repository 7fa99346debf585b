#include "client/spec_options.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "client/array_options.h"
#include "client/moment.h"
#include "client/node_list.h"
#include "client/requeue_options.h"
#include "client/text.h"
#include "client/workdir_options.h"
#include "common/quantity.h"
#include "common/status_macros.h"

namespace berth {
namespace {

constexpr double kCpusMax = 65536;

// Reads the options one after the other into a request; the first error stays.
class SpecBuilder {
 public:
  SpecBuilder(const Arguments& arguments, const SubmissionSource& source,
              v1::SubmitJobRequest& request)
      : arguments_(arguments), source_(source), request_(request), spec_(*request.mutable_spec()) {}

  absl::Status Build() {
    for (const auto read :
         {&SpecBuilder::ReadTexts, &SpecBuilder::ReadShape, &SpecBuilder::ReadHost,
          &SpecBuilder::ReadPlacement, &SpecBuilder::ReadTasks, &SpecBuilder::ReadTimes,
          &SpecBuilder::ReadEnvironment, &SpecBuilder::ReadPlaces, &SpecBuilder::ReadFolder,
          &SpecBuilder::ReadWords, &SpecBuilder::ReadStopSignal}) {
      RETURN_IF_ERROR((this->*read)());
    }
    spec_.set_hold(Switch("hold", "no-hold", spec_.hold()));
    spec_.set_open_stdin(Switch("stdin", "no-stdin", spec_.open_stdin()));
    spec_.set_no_borrow(Switch("no-borrow", "borrow", spec_.no_borrow()));
    spec_.set_not_preemptible(Switch("no-preempt", "preempt", spec_.not_preemptible()));
    request_.set_dry_run(arguments_.Has("dry-run"));
    return ReadRequeue(arguments_, spec_);
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
    spec_.set_name(arguments_.Text("name", spec_.name()));
    spec_.set_comment(arguments_.Text("comment", spec_.comment()));
    spec_.set_project(
        arguments_.Text("project", spec_.project().empty() ? source_.project : spec_.project()));
    request_.set_on_behalf_of_tenant(arguments_.Text("tenant", request_.on_behalf_of_tenant()));
    request_.set_idempotency_key(arguments_.Text("idempotency-key"));
    return absl::OkStatus();
  }

  // The option's number, or the one that the job has.
  absl::StatusOr<int32_t> Number(absl::string_view name, int32_t present, int least, int most) {
    const OptionValue* const value = arguments_.Find(name);
    if (value == nullptr) {
      return present;
    }
    ASSIGN_OR_RETURN(const int64_t number, IntegerOf(*value, least, most));
    return static_cast<int32_t>(number);
  }

  // Of two flags that undo each other the last one counts, so that the command line undoes what a
  // file says; without either it stays as it is.
  bool Switch(absl::string_view on, absl::string_view off, bool present) const {
    for (auto value = arguments_.values.rbegin(); value != arguments_.values.rend(); ++value) {
      if (value->option->name == on || value->option->name == off) {
        return value->option->name == on;
      }
    }
    return present;
  }

  absl::Status ReadShape() {
    v1::GangSpec& gang = *spec_.mutable_gang();
    ASSIGN_OR_RETURN(const int32_t nodes, Number("nodes", gang.nodes(), 1, kJobNodesMax));
    ASSIGN_OR_RETURN(const int32_t devices,
                     Number("devices", gang.devices_per_node(), 0, kJobDevicesMax));
    ASSIGN_OR_RETURN(const int32_t priority,
                     Number("priority", spec_.priority(), -kJobPriorityMax, kJobPriorityMax));
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

  // How the gang may shrink, share a device, and stand together.
  absl::Status ReadPlacement() {
    v1::GangSpec& gang = *spec_.mutable_gang();
    ASSIGN_OR_RETURN(const int32_t min_nodes,
                     Number("min-nodes", gang.min_nodes(), 1, kJobNodesMax));
    gang.set_min_nodes(min_nodes);
    const OptionValue* const least = arguments_.Find("min-nodes");
    if (const OptionValue* const most = arguments_.Find("nodes");
        min_nodes > gang.nodes() && (least != nullptr || most != nullptr)) {
      return ValueError(
          least != nullptr ? *least : *most,
          least != nullptr
              ? absl::StrCat(min_nodes, " is more than the ", gang.nodes(), " of --nodes")
              : absl::StrCat(gang.nodes(), " is less than the ", min_nodes, " of --min-nodes"),
          "--nodes is the most that the job can use, --min-nodes the least");
    }
    RETURN_IF_ERROR(ReadDeviceShare(gang));
    const OptionValue* const topology = arguments_.Find("topology");
    return topology == nullptr ? absl::OkStatus() : ReadTopology(*topology, gang);
  }

  // A share and whole devices take each other's place, unless both are given.
  absl::Status ReadDeviceShare(v1::GangSpec& gang) {
    const OptionValue* const share = arguments_.Find("device-share");
    const OptionValue* const nodes = arguments_.Find("nodes");
    if (share != nullptr && !arguments_.Has("devices")) {
      gang.set_devices_per_node(1);
    }
    if (share != nullptr) {
      return ReadShare(*share, gang);
    }
    if (arguments_.Has("devices")) {
      gang.set_device_share_milli(0);
    }
    return nodes != nullptr && gang.device_share_milli() > 0 ? CheckOneDevice(*nodes, gang)
                                                             : absl::OkStatus();
  }

  static absl::Status CheckOneDevice(const OptionValue& value, const v1::GangSpec& gang) {
    if (gang.nodes() == 1 && gang.devices_per_node() == 1) {
      return absl::OkStatus();
    }
    return ValueError(
        value,
        absl::StrCat("the job would have ", gang.nodes(), " × ", gang.devices_per_node(),
                     " devices, but a share is of one device on one node"),
        "give --nodes 1 with --device-share, or --devices for whole devices");
  }

  static absl::Status ReadShare(const OptionValue& value, v1::GangSpec& gang) {
    double share = 0;
    const bool is_number = absl::SimpleAtod(value.text, &share) && std::isfinite(share);
    const double milli = std::round(share * 1000);
    if (!is_number || milli < 1 || milli > 999) {
      return ValueError(value,
                        absl::StrCat("\"", CleanText(value.text), "\" is no part of a device"),
                        "write it like 0.25; it is at least 0.001 and less than 1");
    }
    RETURN_IF_ERROR(CheckOneDevice(value, gang));
    gang.set_device_share_milli(static_cast<int32_t>(milli));
    return absl::OkStatus();
  }

  static absl::Status ReadTopology(const OptionValue& value, v1::GangSpec& gang) {
    static constexpr std::pair<const char*, v1::TopologyRequest::Level> kLevels[] = {
        {"same-ring",  v1::TopologyRequest::LEVEL_RING },
        {"same-rack",  v1::TopologyRequest::LEVEL_RACK },
        {"same-leaf",  v1::TopologyRequest::LEVEL_RACK },
        {"same-block", v1::TopologyRequest::LEVEL_BLOCK},
        {"same-pod",   v1::TopologyRequest::LEVEL_POD  },
        {"none",       v1::TopologyRequest::LEVEL_NONE },
    };
    const size_t colon = value.text.find(':');
    const std::string level = value.text.substr(0, colon);
    const std::string strength =
        colon == std::string::npos ? "prefer" : value.text.substr(colon + 1);
    if (strength != "prefer" && strength != "require") {
      return UnknownWord(value, strength, {"prefer", "require"});
    }
    std::vector<std::string> known;
    for (const auto& [word, meaning] : kLevels) {
      known.emplace_back(word);
      if (level == word) {
        gang.mutable_topology()->set_level(meaning);
        gang.mutable_topology()->set_required(strength == "require");
        return absl::OkStatus();
      }
    }
    return UnknownWord(value, level, known);
  }

  absl::Status ReadTasks() { return ReadArray(arguments_, spec_); }

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
      // Rounded up, but for what is no more than an error of the binary number.
      host.set_cpu_milli(std::max<int64_t>(static_cast<int64_t>(std::ceil(cpus * 1000 - 1e-6)), 1));
    }
    if (const OptionValue* const value = arguments_.Find("memory"); value != nullptr) {
      ASSIGN_OR_RETURN(const int64_t memory_mib, SizeOf(*value));
      host.set_memory_mib(memory_mib);
    }
    if (const OptionValue* const value = arguments_.Find("disk"); value != nullptr) {
      ASSIGN_OR_RETURN(const int64_t disk_mib, SizeOf(*value));
      spec_.set_disk_mib(disk_mib);
    }
    return absl::OkStatus();
  }

  // MiB, at least one.
  static absl::StatusOr<int64_t> SizeOf(const OptionValue& value) {
    const auto mib = ParseMemoryMib(value.text);
    if (!mib.ok() || *mib == 0) {
      return ValueError(value,
                        mib.ok() ? "must be more than zero" : CleanText(mib.status().message()),
                        "write it like 512MiB or 64GiB");
    }
    return *mib;
  }

  // The option's length, or the one that the job has.
  absl::StatusOr<int64_t> Milliseconds(absl::string_view name, int64_t present) {
    const OptionValue* const value = arguments_.Find(name);
    if (value == nullptr) {
      return present;
    }
    ASSIGN_OR_RETURN(const absl::Duration duration, DurationOf(*value));
    return std::max<int64_t>(absl::ToInt64Milliseconds(duration), 1);
  }

  absl::Status ReadTimes() {
    ASSIGN_OR_RETURN(const int64_t time_limit_ms, Milliseconds("time", spec_.time_limit_ms()));
    ASSIGN_OR_RETURN(const int64_t grace_ms, Milliseconds("grace", spec_.grace_ms()));
    ASSIGN_OR_RETURN(const int64_t lease_ms, Milliseconds("lease", spec_.lease_ms()));
    spec_.set_time_limit_ms(time_limit_ms);
    spec_.set_grace_ms(grace_ms);
    spec_.set_lease_ms(lease_ms);
    if (const OptionValue* const value = arguments_.Find("begin"); value != nullptr) {
      ASSIGN_OR_RETURN(const absl::Time begin, FutureOf(*value, source_.now));
      spec_.set_begin_time_us(absl::ToUnixMicros(begin));
    }
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
      ASSIGN_OR_RETURN(const std::vector<std::string> nodes, NodesOf(*value));
      auto& excluded = *spec_.mutable_gang()->mutable_excluded_nodes();
      for (const std::string& node : nodes) {
        if (std::find(excluded.begin(), excluded.end(), node) == excluded.end()) {
          *excluded.Add() = node;
        }
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
    return absl::OkStatus();
  }

  absl::Status ReadFolder() {
    spec_.set_image(arguments_.Text("image", spec_.image()));
    const OptionValue* const value = arguments_.Find("workdir");
    if (value == nullptr) {
      return absl::OkStatus();
    }
    if (value->text.empty()) {
      return ValueError(*value, "must not be empty");
    }
    // A relative one is the caller's, and is uploaded.
    spec_.set_working_directory(value->text[0] == '/' ? CleanPath(value->text) : "");
    spec_.clear_workdir_sha256();
    return absl::OkStatus();
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
  v1::SubmitJobRequest& request_;
  v1::JobSpec& spec_;
};

}  // namespace

v1::JobSpec DefaultSpec() {
  v1::JobSpec spec;
  spec.mutable_gang()->set_nodes(1);
  spec.mutable_gang()->set_devices_per_node(1);
  return spec;
}

absl::Status ApplyOptions(const Arguments& arguments, const SubmissionSource& source,
                          v1::SubmitJobRequest& request) {
  return SpecBuilder(arguments, source, request).Build();
}

}  // namespace berth
