// The part of spec_file.h that writes.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "client/array_options.h"
#include "client/output.h"
#include "client/spec_file.h"
#include "client/text.h"
#include "client/views.h"
#include "common/quantity.h"

namespace berth {
namespace {

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t before = text.size();
    if (TakeCodePoint(text) == kBrokenCodePoint && before - text.size() == 1) {
      return false;
    }
  }
  return true;
}

// Takes what a job does not have for not given.
class SpecFormatter {
 public:
  explicit SpecFormatter(Json& json) : json_(json) {}

  void Add(const v1::JobSpec& spec, absl::Time now) {
    json_["schema"] = "berth/v1";
    json_["kind"] = "JobSpec";
    AddText("name", spec.name());
    AddText("project", spec.project());
    AddGang(spec.gang());
    AddText("disk", MemoryWord(spec.disk_mib()));
    AddTimes(spec, now);
    AddNumber("priority", spec.priority());
    AddPairs("env", spec.environment());
    AddText("workdir", spec.working_directory());
    AddText("workdir-sha256", absl::BytesToHexString(spec.workdir_sha256()));
    AddText("image", spec.image());
    AddText("launch", spec.launch() == v1::LAUNCH_MODE_DEVICE ? "device"
                      : spec.launch() == v1::LAUNCH_MODE_NODE ? "node"
                                                              : "");
    AddFlag("stdin", spec.open_stdin());
    AddRequeue(spec);
    AddTasks(spec);
    AddFlag("hold", spec.hold());
    AddFlag("no-borrow", spec.no_borrow());
    AddFlag("no-preempt", spec.not_preemptible());
    AddText("comment", spec.comment());
    AddList("command", {spec.command().begin(), spec.command().end()});
    const bool is_text = IsUtf8(spec.script());
    AddText(is_text ? "script" : "script-base64",
            is_text ? spec.script() : absl::Base64Escape(spec.script()));
  }

 private:
  void AddText(const char* key, const std::string& text) {
    if (!text.empty()) {
      json_[key] = text;
    }
  }
  void AddNumber(const char* key, int64_t number) {
    if (number != 0) {
      json_[key] = number;
    }
  }
  void AddMilli(const char* key, int64_t milli) {
    if (milli != 0) {
      json_[key] = static_cast<double>(milli) / 1000;
    }
  }
  void AddFlag(const char* key, bool flag) {
    if (flag) {
      json_[key] = true;
    }
  }
  void AddList(const char* key, const std::vector<std::string>& texts) {
    if (!texts.empty()) {
      json_[key] = texts;
    }
  }
  template <typename Map>
  void AddPairs(const char* key, const Map& pairs) {
    std::vector<std::string> texts;
    for (const auto& [name, value] :
         std::map<std::string, std::string>(pairs.begin(), pairs.end())) {
      texts.push_back(absl::StrCat(name, "=", value));
    }
    AddList(key, texts);
  }

  static std::string LengthText(int64_t length_ms) {
    return length_ms == 0 ? "" : berth::FormatDuration(absl::Milliseconds(length_ms));
  }

  void AddGang(const v1::GangSpec& gang) {
    json_["nodes"] = gang.nodes();
    json_["devices"] = gang.devices_per_node();
    AddNumber("min-nodes", gang.min_nodes());
    AddMilli("device-share", gang.device_share_milli());
    if (gang.topology().level() != v1::TopologyRequest::LEVEL_NONE) {
      json_["topology"] = absl::StrCat(TopologyWord(gang.topology()),
                                       gang.topology().required() ? ":require" : ":prefer");
    }
    AddText("class", absl::StrJoin(gang.device_classes(), "|"));
    AddMilli("cpus", gang.per_node().cpu_milli());
    AddText("memory", MemoryWord(gang.per_node().memory_mib()));
    AddList("exclude", {gang.excluded_nodes().begin(), gang.excluded_nodes().end()});
    AddPairs("label", gang.node_labels());
  }

  void AddTimes(const v1::JobSpec& spec, absl::Time now) {
    AddText("time", LengthText(spec.time_limit_ms()));
    AddText("grace", LengthText(spec.grace_ms()));
    AddText("stop-signal", spec.stop_signal());
    AddText("lease", LengthText(spec.lease_ms()));
    AddText("idle", LengthText(spec.idle_ms()));
    const absl::Time begin = TimeFromMicros(spec.begin_time_us());
    AddText("begin", begin > now ? Rfc3339(begin) : "");
  }

  void AddRequeue(const v1::JobSpec& spec) {
    if (spec.has_requeue()) {
      const std::vector<std::string> causes = RequeueCauses(spec.requeue());
      json_["requeue"] = causes.empty() ? "none" : absl::StrJoin(causes, ",");
      json_["max-requeues"] = spec.requeue().max_requeues();
      if (!spec.requeue().exit_codes().empty()) {
        json_["requeue-exit"] = std::vector<int32_t>(spec.requeue().exit_codes().begin(),
                                                     spec.requeue().exit_codes().end());
      }
    }
    if (spec.on_node_loss() != v1::NODE_LOSS_POLICY_UNSPECIFIED) {
      json_["on-node-loss"] = NodeLossWord(spec.on_node_loss());
    }
  }

  // Which tasks it has, and whom they wait for.
  void AddTasks(const v1::JobSpec& spec) {
    AddList("matrix", MatrixWords(spec));
    if (spec.has_array()) {
      const std::vector<v1::IndexRange> ranges = RangesOf(spec.array());
      json_["array"] = absl::StrCat(IndexesText({ranges.begin(), ranges.end()}),
                                    spec.array().concurrent_max() == 0
                                        ? ""
                                        : absl::StrCat("%", spec.array().concurrent_max()));
      AddNumber("max-fails", spec.array().fails_max());
    }
    std::vector<std::string> others;
    for (const v1::Dependency& dependency : spec.dependencies()) {
      others.push_back(absl::StrCat(DependencyWord(dependency.kind()), ":", dependency.job_id()));
    }
    AddList("after", others);
  }

  Json& json_;
};

}  // namespace

std::string FormatSpecFile(const v1::JobSpec& spec, absl::Time now) {
  Json json;
  SpecFormatter(json).Add(spec, now);
  return absl::StrCat(DumpJson(json, 2), "\n");
}

}  // namespace berth
