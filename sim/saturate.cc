#include "sim/saturate.h"

#include <cstdio>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "common/status_macros.h"
#include "nlohmann/json.hpp"
#include "sim/berth_placer.h"
#include "sim/report.h"
#include "sim/saturation.h"
#include "sim/trace_reader.h"

namespace berth::sim {
namespace {

constexpr char kOwn[] = "berth";

nlohmann::ordered_json ByPoint(const std::map<int, double>& values) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [point, value] : values) {
    json[absl::StrCat(point)] = value;
  }
  return json;
}

std::string Json(const SaturationReport& report) {
  const nlohmann::ordered_json json = {
      {"placed",            report.placed                   },
      {"failed",            report.failed                   },
      {"gpu_alloc_percent", report.gpu_alloc_percent        },
      {"cpu_alloc_percent", report.cpu_alloc_percent        },
      {"alloc_percent_at",  ByPoint(report.alloc_percent_at)},
      {"frag_percent_at",   ByPoint(report.frag_percent_at) },
      {"wall_seconds",      report.wall_seconds             },
  };
  return json.dump(2) + "\n";
}

std::string Text(const SaturationReport& report) {
  std::string text = absl::StrFormat(
      "placed %d pods, dropped %d\n"
      "devices allocated %.2f %%, CPU allocated %.2f %%\n",
      report.placed, report.failed, report.gpu_alloc_percent, report.cpu_alloc_percent);
  for (const auto& [point, alloc] : report.alloc_percent_at) {
    absl::StrAppendFormat(&text,
                          "at %3d %% demand: %6.2f %% allocated, %6.2f %% of the rest fragmented\n",
                          point, alloc, report.frag_percent_at.at(point));
  }
  absl::StrAppendFormat(&text, "simulated in %.3f s\n", report.wall_seconds);
  return text;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> SaturatePolicies() {
  std::vector<std::pair<std::string, std::string>> policies = {
      {kOwn, "Berth's own placement"}
  };
  for (const PlacementPolicyEntry& policy : PlacementPolicies()) {
    policies.emplace_back(policy.name, policy.summary);
  }
  return policies;
}

absl::Status RunSaturate(const SaturateOptions& options) {
  const bool own = options.policy == kOwn;
  absl::StatusOr<PlacementPolicyEntry> policy =
      own ? PlacementPolicyEntry{} : FindPlacementPolicy(options.policy);
  RETURN_IF_ERROR(policy.status());
  absl::StatusOr<CsvReader> nodes_csv = CsvReader::Open(options.nodes);
  RETURN_IF_ERROR(nodes_csv.status());
  std::vector<TraceNode> nodes;
  ASSIGN_OR_RETURN(nodes, ReadNodes(*std::move(nodes_csv), NodeColumns::kWithHosts));
  absl::StatusOr<CsvReader> stream_csv = CsvReader::Open(options.stream);
  RETURN_IF_ERROR(stream_csv.status());
  std::vector<TracePod> stream;
  ASSIGN_OR_RETURN(stream, ReadPods(*std::move(stream_csv)));

  const absl::Time begin = absl::Now();
  SaturationReport report = own ? Saturation(nodes, stream, BerthPlacer(nodes)).Run()
                                : Saturation(nodes, stream, *policy, options.seed).Run();
  report.wall_seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  if (!options.report.empty()) {
    RETURN_IF_ERROR(WriteFile(options.report, Json(report)));
  }
  std::fputs(Text(report).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace berth::sim
