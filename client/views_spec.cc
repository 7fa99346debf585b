// The part of the views that tells what a job asks for.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "client/views.h"
#include "common/matrix.h"

namespace berth {
namespace {

Json RequeueJson(const v1::RequeuePolicy& policy) {
  Json json{
      {"node_fault",   policy.on_node_fault()},
      {"preempt",      policy.on_preempt()   },
      {"error",        policy.on_error()     },
      {"max_requeues", policy.max_requeues() }
  };
  json["exit_codes"] = std::vector<int>(policy.exit_codes().begin(), policy.exit_codes().end());
  return json;
}

Json MatrixJson(const v1::JobSpec& spec) {
  Json json = Json::array();
  for (const v1::MatrixParameter& parameter : spec.matrix()) {
    json.push_back({
        {"name",                                              parameter.name()         },
        { "values",
         std::vector<std::string>(parameter.values().begin(), parameter.values().end())}
    });
  }
  return json;
}

bool IsNumber(const std::string& text, int64_t number) {
  return absl::StrCat(number) == text;
}

// As --matrix takes it: numbers that follow each other as a series.
std::string ValuesText(const std::vector<std::string>& values) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < values.size();) {
    int64_t first = 0;
    size_t end = i + 1;
    if (absl::SimpleAtoi(values[i], &first) && IsNumber(values[i], first)) {
      while (end < values.size() && first < INT32_MAX &&
             IsNumber(values[end], first + static_cast<int64_t>(end - i))) {
        ++end;
      }
    }
    const bool series = end - i > 2;
    parts.push_back(series ? absl::StrCat(values[i], "..", values[end - 1]) : values[i]);
    i = series ? end : i + 1;
  }
  return absl::StrJoin(parts, ",");
}

}  // namespace

std::vector<std::string> MatrixWords(const v1::JobSpec& spec) {
  std::vector<std::string> words;
  for (const MatrixParameter& parameter : ToMatrix(spec.matrix())) {
    words.push_back(absl::StrCat(parameter.name, "=", ValuesText(parameter.values)));
  }
  return words;
}

std::vector<std::pair<std::string, std::string>> ParametersOf(const v1::Job& job,
                                                              const v1::JobSpec& spec) {
  std::vector<std::pair<std::string, std::string>> parameters;
  if (job.array_id() == 0) {
    return parameters;
  }
  const Matrix matrix = ToMatrix(spec.matrix());
  const std::vector<std::string> values = CombinationAt(matrix, job.array_index());
  for (size_t i = 0; i < values.size(); ++i) {
    parameters.emplace_back(matrix[i].name, values[i]);
  }
  return parameters;
}

std::vector<std::string> RequeueCauses(const v1::RequeuePolicy& policy) {
  std::vector<std::string> causes;
  for (const auto& [set, word] : {
           std::pair{policy.on_node_fault(), "node-fault"},
           std::pair{policy.on_preempt(),    "preempt"   },
           std::pair{policy.on_error(),      "error"     }
  }) {
    if (set) {
      causes.emplace_back(word);
    }
  }
  return causes;
}

std::string MemoryWord(int64_t mib) {
  return mib == 0          ? ""
         : mib % 1024 == 0 ? absl::StrCat(mib / 1024, "GiB")
                           : absl::StrCat(mib, "MiB");
}

std::string NodeLossWord(v1::NodeLossPolicy policy) {
  return policy == v1::NODE_LOSS_POLICY_HOLD   ? "hold"
         : policy == v1::NODE_LOSS_POLICY_FAIL ? "fail"
                                               : "requeue";
}

Json GangJson(const v1::GangSpec& gang) {
  Json json{
      {"nodes",            gang.nodes()           },
      {"devices_per_node", gang.devices_per_node()}
  };
  json["classes"] =
      std::vector<std::string>(gang.device_classes().begin(), gang.device_classes().end());
  json["cpu_milli_per_node"] = gang.per_node().cpu_milli();
  json["memory_bytes_per_node"] = gang.per_node().memory_mib() << 20;
  json["min_nodes"] = gang.min_nodes() == 0 ? Json() : Json(gang.min_nodes());
  json["device_share"] = gang.device_share_milli() == 0
                             ? Json()
                             : Json(static_cast<double>(gang.device_share_milli()) / 1000);
  json["topology"] = Json();
  if (gang.topology().level() != v1::TopologyRequest::LEVEL_NONE) {
    json["topology"] = {
        {"level",    TopologyWord(gang.topology())},
        {"required", gang.topology().required()   }
    };
  }
  json["node_labels"] = Json::object();
  for (const auto& [key, value] :
       std::map<std::string, std::string>(gang.node_labels().begin(), gang.node_labels().end())) {
    json["node_labels"][key] = value;
  }
  json["excluded_nodes"] =
      std::vector<std::string>(gang.excluded_nodes().begin(), gang.excluded_nodes().end());
  return json;
}

std::string ShapeText(const v1::GangSpec& gang) {
  const auto count = [](int32_t number, const char* noun) {
    return absl::StrCat(number, " ", noun, number == 1 ? "" : "s");
  };
  const std::string classes = absl::StrJoin(gang.device_classes(), "|");
  const std::string nodes = gang.min_nodes() > 0 && gang.min_nodes() < gang.nodes()
                                ? absl::StrCat(gang.min_nodes(), "-", count(gang.nodes(), "node"))
                                : count(gang.nodes(), "node");
  const std::string devices =
      gang.device_share_milli() > 0
          ? absl::StrFormat("%g of a device", gang.device_share_milli() / 1000.0)
          : count(gang.devices_per_node(), "device");
  return absl::StrCat(nodes, " × ", devices, classes.empty() ? "" : " ", classes);
}

std::string TopologyWord(const v1::TopologyRequest& topology) {
  switch (topology.level()) {
    case v1::TopologyRequest::LEVEL_RING:
      return "same-ring";
    case v1::TopologyRequest::LEVEL_RACK:
      return "same-rack";
    case v1::TopologyRequest::LEVEL_BLOCK:
      return "same-block";
    case v1::TopologyRequest::LEVEL_POD:
      return "same-pod";
    default:  // none, or one that this version does not know yet
      return "none";
  }
}

Json SpecJson(const v1::JobSpec& spec) {
  Json json;
  json["command"] = std::vector<std::string>(spec.command().begin(), spec.command().end());
  json["script"] = spec.script().empty() ? Json() : Json(spec.script());
  json["environment"] = Json::object();
  for (const auto& [name, value] :
       std::map<std::string, std::string>(spec.environment().begin(), spec.environment().end())) {
    json["environment"][name] = value;
  }
  json["working_directory"] =
      spec.working_directory().empty() ? Json() : Json(spec.working_directory());
  json["disk_bytes_per_node"] = spec.disk_mib() == 0 ? Json() : Json(spec.disk_mib() << 20);
  json["idle_limit_seconds"] =
      spec.idle_ms() == 0 ? Json() : Json(static_cast<double>(spec.idle_ms()) / 1000);
  json["workdir_sha256"] =
      spec.workdir_sha256().empty() ? Json() : Json(absl::BytesToHexString(spec.workdir_sha256()));
  json["image"] = spec.image().empty() ? Json() : Json(spec.image());
  json["stdin"] = spec.open_stdin();
  json["launch"] = spec.launch() == v1::LAUNCH_MODE_DEVICE ? "device" : "node";
  json["matrix"] = MatrixJson(spec);
  json["requeue"] = spec.has_requeue() ? RequeueJson(spec.requeue()) : Json();
  json["on_node_loss"] = NodeLossWord(spec.on_node_loss());
  json["lease_seconds"] =
      spec.lease_ms() == 0 ? Json() : Json(static_cast<double>(spec.lease_ms()) / 1000);
  json["stop_signal"] = spec.stop_signal().empty() ? "SIGTERM" : spec.stop_signal();
  json["comment"] = spec.comment();
  return json;
}

}  // namespace berth
