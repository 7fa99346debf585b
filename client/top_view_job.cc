// The picture of one job.

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "client/device_use.h"
#include "client/output.h"
#include "client/text.h"
#include "client/top_view.h"
#include "client/views.h"

namespace berth {
namespace {

// More devices than these have no columns of their own.
constexpr size_t kCardsMax = 16;
constexpr int kCardCells = 3;  // "100"
// A node is slow if its devices do this much less, in percent of what the median node's do.
constexpr int kSlowPercent = 20;

std::string JobTitle(const v1::Job& job) {
  return absl::StrCat(CleanText(job.name()), " ", JobIdText(job), " attempt ", job.attempt(), "   ",
                      ShapeText(job.gang()), "   ", CleanText(StateSummary(job)));
}

std::string JobTimes(const v1::Job& job, absl::Time now) {
  std::vector<std::string> parts;
  const absl::Duration limit = absl::Milliseconds(job.time_limit_ms());
  if (job.started_at_us() != 0) {
    const absl::Time start = TimeFromMicros(job.started_at_us());
    const absl::Time end = job.ended_at_us() == 0 ? now : TimeFromMicros(job.ended_at_us());
    parts.push_back(
        absl::StrCat("running for ", LengthForPeople(end - start), " of ", LengthForPeople(limit)));
    if (job.ended_at_us() == 0) {
      parts.push_back(absl::StrCat(
          "ends by ", absl::FormatTime("%m-%d %H:%M", start + limit, absl::LocalTimeZone())));
    }
  }
  if (const std::string progress = ProgressText(job.notice()); !progress.empty()) {
    parts.push_back(absl::StrCat("progress ", progress, " (told)"));
  }
  if (const std::string checkpoint = CheckpointText(job, now); !checkpoint.empty()) {
    parts.push_back(absl::StrCat("checkpoint ", checkpoint));
  }
  if (const auto utilization = MeanUtilization(job); utilization.has_value()) {
    parts.push_back(absl::StrCat("utilization ", PercentText(utilization)));
  }
  return absl::StrJoin(parts, "   ");
}

std::set<int> CardsOf(const v1::Job& job) {
  std::set<int> cards;
  for (const v1::Allocation& allocation : job.allocations()) {
    for (const v1::DeviceAssignment& device : allocation.devices()) {
      cards.insert(device.index());
    }
  }
  return cards;
}

// One of `cards`, under its number.
std::string CardCells(const std::string& text) {
  return PadToWidth(text, kCardCells, true);
}

std::string CardTitle(const std::set<int>& cards) {
  return absl::StrJoin(cards, "  ", [](std::string* out, int card) {
    absl::StrAppend(out, CardCells(absl::StrCat(card)));
  });
}

// Of each of `cards` that is the job's its utilization, "-" where it is not known.
std::string CardLine(const v1::Allocation& allocation, const std::set<int>& cards) {
  std::map<int, std::string> known;
  for (const v1::DeviceAssignment& device : allocation.devices()) {
    known.emplace(device.index(), "-");
  }
  for (const v1::DeviceSample& sample : allocation.samples()) {
    if (sample.has_utilization_percent()) {
      known[sample.index()] = absl::StrCat(sample.utilization_percent());
    }
  }
  return absl::StrJoin(cards, "  ", [&](std::string* out, int card) {
    absl::StrAppend(out, CardCells(known[card]));
  });
}

// Of those devices of which both are known: how much they have, and how much of it is in use.
std::string MemoryCell(const v1::Allocation& allocation, const v1::Node* node) {
  std::map<int, int64_t> totals;
  if (node != nullptr) {
    for (const v1::Device& device : node->facts().devices()) {
      totals[device.index()] = device.memory_mib();
    }
  }
  int64_t used = 0;
  int64_t total = 0;
  for (const v1::DeviceSample& sample : allocation.samples()) {
    if (sample.has_memory_used_mib() && totals[sample.index()] > 0) {
      used += sample.memory_used_mib();
      total += totals[sample.index()];
    }
  }
  return PercentText(total == 0 ? std::nullopt : std::optional<int>(100 * used / total));
}

std::string PowerCell(const v1::Allocation& allocation) {
  std::optional<int64_t> watts;
  for (const v1::DeviceSample& sample : allocation.samples()) {
    if (sample.has_power_watts()) {
      watts = watts.value_or(0) + sample.power_watts();
    }
  }
  return PowerText(watts);
}

// The worst of the job's devices, or of their node.
std::string HealthCell(const v1::Allocation& allocation, const v1::Node* node) {
  if (node == nullptr) {
    return "-";
  }
  if (node->state() != v1::NODE_STATE_READY) {
    return absl::StrCat("node ", NodeStateWord(node->state()));
  }
  v1::DeviceHealth worst = v1::DEVICE_HEALTH_OK;
  for (const v1::DeviceAssignment& used : allocation.devices()) {
    for (const v1::Device& device : node->facts().devices()) {
      if (device.index() == used.index()) {
        worst = std::max(worst, device.health());
      }
    }
  }
  return DeviceHealthWord(worst);
}

// The node that holds the others up, and by how many percent it is behind the median; none: none is
// clearly slower.
struct SlowNode {
  int row = -1;
  int percent = 0;
};

SlowNode FindSlowNode(const v1::Job& job) {
  std::vector<std::pair<int, int>> means;  // with their rows
  for (int row = 0; row < job.allocations_size(); ++row) {
    if (const auto mean = MeanUtilization(job.allocations(row)); mean.has_value()) {
      means.emplace_back(*mean, row);
    }
  }
  if (means.size() < 2) {
    return {};
  }
  std::sort(means.begin(), means.end());
  // The higher one of the middle two: of two nodes the slower one is measured against the other.
  const int median = means[means.size() / 2].first;
  const auto [slowest, row] = means.front();
  const int behind = median == 0 ? 0 : 100 * (median - slowest) / median;
  return behind < kSlowPercent ? SlowNode() : SlowNode{.row = row, .percent = behind};
}

struct NodeRow {
  const v1::Allocation& allocation;
  const v1::Node* node;  // null: not known any more
  const std::set<int>& cards;
  bool slow;
  int behind_percent;
};

std::vector<std::string> CellsOfNode(const NodeRow& row, absl::Time now) {
  const v1::Allocation& allocation = row.allocation;
  std::vector<std::string> cells = {allocation.node(), absl::StrCat(allocation.rank())};
  if (!row.cards.empty()) {
    cells.push_back(row.cards.size() > kCardsMax ? DeviceIndexes(allocation)
                                                 : CardLine(allocation, row.cards));
    cells.push_back(PercentText(MeanUtilization(allocation)));
    cells.push_back(MemoryCell(allocation, row.node));
    cells.push_back(PowerCell(allocation));
  }
  // The number first: the last column is cut where the line is narrow.
  cells.push_back(
      absl::StrCat(HealthCell(allocation, row.node),
                   row.slow ? absl::StrCat("  ← -", row.behind_percent, " % (slowest)") : ""));
  cells.push_back(allocation.state());
  cells.push_back(
      row.node == nullptr ? "" : TimeForPeople(TimeFromMicros(row.node->last_heartbeat_us()), now));
  return cells;
}

std::vector<Column> ColumnsOfNodes(const std::string& card_title, bool has_cards) {
  std::vector<Column> columns = {Left("NODE"), Right("RANK", 3)};
  if (has_cards) {
    columns.push_back(Left(card_title.c_str()));
    columns.insert(columns.end(), {Right("MEAN", 2), Right("MEM"), Right("POWER", 1)});
  }
  columns.insert(columns.end(), {Left("HEALTH"), Left("TASK", 4), Left("HEARD", 5)});
  return columns;
}

}  // namespace

std::string JobPicture(const v1::Job& job, const std::vector<v1::Node>& nodes,
                       const PictureSize& size, absl::Time now) {
  std::vector<std::string> lines = {JobTitle(job)};
  for (std::string line :
       {JobTimes(job, now), CleanText(job.notice().text()), CleanText(job.reason().message())}) {
    if (!line.empty()) {
      lines.push_back(std::move(line));
    }
  }
  std::map<std::string, const v1::Node*> by_name;
  for (const v1::Node& node : nodes) {
    by_name[node.name()] = &node;
  }
  const std::set<int> cards = CardsOf(job);
  const std::string card_title = cards.size() > kCardsMax ? "DEVICES" : CardTitle(cards);
  const SlowNode slow = FindSlowNode(job);
  Listing listing{
      .kind = "JobNodeList", .columns = ColumnsOfNodes(card_title, !cards.empty()), .rows = {}};
  for (int i = 0; i < job.allocations_size(); ++i) {
    const v1::Allocation& allocation = job.allocations(i);
    const auto found = by_name.find(allocation.node());
    listing.rows.push_back(
        {.json = {},
         .cells = CellsOfNode({.allocation = allocation,
                               .node = found == by_name.end() ? nullptr : found->second,
                               .cards = cards,
                               .slow = i == slow.row,
                               .behind_percent = slow.percent},
                              now)});
  }
  AddTable(listing, size, now, lines);
  return JoinLines(lines, size);
}

}  // namespace berth
