#include "tests/architecture/include_rules.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

namespace berth::architecture {
namespace {

// One layer per line: its prefix, then the prefixes of what it may include beside its own files. A
// path belongs to the layer with the longest matching prefix.
constexpr const char* kArrows = R"(
common/                 proto/
scheduler/core/         common/strong_id.h common/check.h common/status_macros.h common/error_detail.h common/nearest_name.h common/planted_bug.h common/quantity.h
scheduler/store/        scheduler/core/ common/
scheduler/agent_link    scheduler/core/
scheduler/read_view     scheduler/core/ scheduler/store/ common/
scheduler/job_waiters   scheduler/core/ scheduler/store/ scheduler/read_view common/
scheduler/node_log      scheduler/core/ common/
scheduler/fence_command common/
scheduler/control_loop  scheduler/core/ scheduler/store/ scheduler/agent_link scheduler/read_view scheduler/job_waiters scheduler/node_log scheduler/fence_command common/
scheduler/upload_       scheduler/core/ids.h common/ proto/
scheduler/convert       scheduler/core/ scheduler/control_loop scheduler/read_view common/ proto/
scheduler/rpc/          scheduler/core/ scheduler/control_loop scheduler/read_view scheduler/agent_link scheduler/upload_store scheduler/convert common/ proto/
scheduler/web/          scheduler/core/ scheduler/control_loop common/
scheduler/server        scheduler/core/ scheduler/store/ scheduler/control_loop scheduler/upload_ scheduler/rpc/ scheduler/web/ common/
scheduler/main.cc       scheduler/server common/
agent/core/             common/ proto/
agent/shim/             common/
agent/executor/         agent/shim/ common/ proto/
agent/devices/          common/ proto/
agent/                  agent/core/ agent/shim/ agent/executor/ agent/devices/ common/ proto/
client/                 common/ proto/
sim/bench/              sim/ scheduler/ agent/ client/ common/ proto/
sim/faults/             sim/ scheduler/core/ scheduler/store/ scheduler/convert agent/core/ common/ proto/
sim/                    sim/faults/fault_search scheduler/core/ agent/core/ common/
tests/                  common/ proto/ scheduler/ agent/ client/ sim/
)";

// Inside scheduler/core, lowest rung first. A file may include its own rung and those below it.
constexpr const char* kCoreLadder = R"(
ids id_map slot_map
names enum_names utc_text resources lifecycle transition_counts node_set
identity array_range job node allocation policy pending_reason booking reclaim_record
plan
quota_tree free_index topology fragmentation block_rule active_times suitability
event changes node_command pending_queue holder_index waiting_claims nominations stirred_classes
cluster
topology
placement quota_view place_memo
ending_stream
admission queue_order backfill reclaim budget
round_scope round_books
group_states queue_walk
planning_round
planner quota_checks step attempt_end job_progress task_notices node_loss fencing node_protocol booking_progress invariants plan_application
center_requests node_requests job_requests quota_requests booking_requests
forecast
explain
engine
)";
constexpr size_t kPolicyRung = 10;
constexpr const char* kCore = "scheduler/core/";

struct Layer {
  std::string prefix;
  std::vector<std::string> may_include;
};

std::vector<std::string> Words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

// The words of every line that has any.
std::vector<std::vector<std::string>> Table(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty()) rows.push_back(Words(line));
  }
  return rows;
}

std::vector<Layer> ReadLayers() {
  std::vector<Layer> layers;
  for (const std::vector<std::string>& row : Table(kArrows)) {
    layers.push_back({
        row.front(), {row.begin() + 1, row.end()}
    });
  }
  return layers;
}

const std::vector<Layer>& Layers() {
  static const auto* const kLayers = new std::vector<Layer>(ReadLayers());
  return *kLayers;
}

const Layer* FindLayer(const std::string& path) {
  const Layer* best = nullptr;
  for (const Layer& layer : Layers()) {
    if (!StartsWith(path, layer.prefix)) continue;
    if (best == nullptr || layer.prefix.size() > best->prefix.size()) {
      best = &layer;
    }
  }
  return best;
}

bool IsOurs(const std::string& target) {
  static const std::regex kOurs("^(common|scheduler|agent|client|sim|tests|proto)/");
  return std::regex_search(target, kOurs);
}

struct LibraryRule {
  std::string header;  // a regular expression over the include's target
  std::string name;
  std::vector<std::string> users;   // prefixes of paths that may include it
  std::vector<std::string> except;  // prefixes inside those that may not
};

LibraryRule Rule(const char* name, const char* header, const char* users, const char* except) {
  return {header, name, Words(users), Words(except)};
}

const std::vector<LibraryRule>& LibraryRules() {
  static const auto* const kRules = new std::vector<LibraryRule>{
      Rule("gRPC", R"(^(grpc|grpcpp|grpc\+\+)/|\.grpc\.pb\.h$)",
           "common/grpc_status scheduler/rpc/ scheduler/server agent/agent. agent/session "
           "agent/log_upload agent/job_channel agent/workdir_call client/api_client sim/bench/ "
           "tests/",
           ""),
      Rule("protobuf", R"(\.pb\.h$|^google/protobuf/)",
           "common/grpc_status common/error_detail common/workdir_manifest scheduler/convert "
           "scheduler/rpc/ scheduler/upload_ "
           "scheduler/server agent/ client/ sim/ tests/",
           "agent/shim/"),
      Rule("SQLite", "^sqlite3", "scheduler/store/ sim/faults/crash_vfs sim/bench/ tests/", ""),
      Rule("toml++", "^toml", "common/config_file.cc", ""),
      Rule("CLI11", "^CLI", "scheduler/main.cc agent/main.cc client/main.cc sim/", ""),
      Rule("spdlog", "^spdlog/", "common/log.cc", ""),
      Rule("nlohmann-json", "^nlohmann/", "client/ sim/ tests/", ""),
      Rule("libseccomp", "^seccomp\\.h$", "agent/executor/seccomp_program.cc", ""),
      Rule("GoogleTest", "^(gtest|gmock)/", "tests/", ""),
  };
  return *kRules;
}

bool StartsWithAny(const std::string& path, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return StartsWith(path, prefix); });
}

bool MayUse(const LibraryRule& rule, const std::string& path) {
  return StartsWithAny(path, rule.users) && !StartsWithAny(path, rule.except);
}

const std::vector<std::vector<std::string>>& CoreRungs() {
  static const auto* const kRungs = new std::vector<std::vector<std::string>>(Table(kCoreLadder));
  return *kRungs;
}

struct CoreName {
  std::string noun;
  size_t rung = 0;
};

// cluster_jobs.cc is a part of cluster: the longest noun that the file's name begins with.
std::optional<CoreName> FindCoreName(const std::string& path) {
  if (!StartsWith(path, kCore)) return std::nullopt;
  std::string stem = path.substr(std::string(kCore).size());
  stem = stem.substr(0, stem.find('.'));
  std::optional<CoreName> best;
  for (size_t rung = 0; rung < CoreRungs().size(); ++rung) {
    for (const std::string& noun : CoreRungs()[rung]) {
      if (stem != noun && !StartsWith(stem, noun + "_")) continue;
      if (!best.has_value() || noun.size() > best->noun.size()) best = CoreName{noun, rung};
    }
  }
  return best;
}

std::optional<std::string> LadderError(const CoreName& from, const CoreName& to) {
  if (from.noun == to.noun) return std::nullopt;
  if (to.rung > from.rung) return from.noun + " stands below " + to.noun + " on core's ladder";
  if (to.rung == from.rung && to.rung == kPolicyRung) {
    return "policies do not include each other: " + from.noun + " includes " + to.noun;
  }
  return std::nullopt;
}

using Graph = std::map<std::string, std::set<std::string>>;

bool Reaches(const Graph& graph, const std::string& from, const std::string& to,
             std::set<std::string>& seen) {
  const auto edges = graph.find(from);
  if (edges == graph.end()) return false;
  for (const std::string& next : edges->second) {
    if (next == to) return true;
    if (seen.insert(next).second && Reaches(graph, next, to, seen)) return true;
  }
  return false;
}

}  // namespace

std::string LayerOf(const std::string& path) {
  const Layer* layer = FindLayer(path);
  return layer == nullptr ? "" : layer->prefix;
}

std::vector<Violation> CheckArrows(const std::vector<SourceFile>& files) {
  std::vector<Violation> violations;
  for (const SourceFile& file : files) {
    const Layer* layer = FindLayer(file.path);
    if (layer == nullptr) {
      violations.push_back({file.path, 1, "this path belongs to no layer of the design"});
      continue;
    }
    for (const Include& include : FindIncludes(file.text)) {
      if (StartsWith(include.target, ".") || StartsWith(include.target, "/")) {
        violations.push_back({file.path, include.line, "includes are relative to the root"});
      }
      if (!IsOurs(include.target) || LayerOf(include.target) == layer->prefix) continue;
      if (StartsWithAny(include.target, layer->may_include)) continue;
      violations.push_back(
          {file.path, include.line, layer->prefix + " may not include " + include.target});
    }
  }
  return violations;
}

std::vector<Violation> CheckLibraries(const std::vector<SourceFile>& files) {
  std::vector<Violation> violations;
  for (const LibraryRule& rule : LibraryRules()) {
    const std::regex header(rule.header);
    for (const SourceFile& file : files) {
      if (MayUse(rule, file.path)) continue;
      for (const Include& include : FindIncludes(file.text)) {
        if (!std::regex_search(include.target, header)) continue;
        violations.push_back(
            {file.path, include.line, include.target + ": " + rule.name + " is not for this file"});
      }
    }
  }
  return violations;
}

std::vector<Violation> CheckCoreLadder(const std::vector<SourceFile>& files) {
  std::vector<Violation> violations;
  Graph headers;
  for (const SourceFile& file : files) {
    if (!StartsWith(file.path, kCore)) continue;
    const std::optional<CoreName> from = FindCoreName(file.path);
    if (!from.has_value()) {
      violations.push_back({file.path, 1, "this file stands on no rung of core's ladder"});
      continue;
    }
    for (const Include& include : FindIncludes(file.text)) {
      const std::optional<CoreName> to = FindCoreName(include.target);
      if (!to.has_value()) continue;
      headers[file.path].insert(include.target);
      if (const auto error = LadderError(*from, *to)) {
        violations.push_back({file.path, include.line, *error});
      }
    }
  }
  for (const auto& [path, targets] : headers) {
    std::set<std::string> seen;
    if (Reaches(headers, path, path, seen)) {
      violations.push_back({path, 1, "this header includes itself through others"});
    }
  }
  return violations;
}

}  // namespace berth::architecture
