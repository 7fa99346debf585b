#include "client/top_view.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "client/output.h"
#include "client/text.h"
#include "client/views.h"

namespace berth {
namespace {

constexpr int kBarCells = 32;
constexpr int kClassCells = 18;

// Devices of one class.
struct ClassUse {
  int64_t owned = 0;     // in use
  int64_t borrowed = 0;  // in use
  int64_t free = 0;
  int64_t out = 0;  // not to be had
  int64_t total() const { return owned + borrowed + free + out; }
};

bool TakesJobs(v1::NodeState state) {
  return state == v1::NODE_STATE_READY;
}

std::map<std::string, ClassUse> UseByClass(const CenterFacts& facts) {
  std::map<std::string, ClassUse> classes;
  for (const v1::Node& node : facts.nodes) {
    ClassUse& use = classes[node.device_class().empty() ? "-" : node.device_class()];
    const auto& devices = node.facts().devices();
    const auto usable = std::count_if(devices.begin(), devices.end(), [](const v1::Device& device) {
      return device.health() != v1::DEVICE_HEALTH_QUARANTINED;
    });
    const int64_t free = std::min<int64_t>(node.devices_free(), usable);
    use.owned += usable - free;
    (TakesJobs(node.state()) ? use.free : use.out) += free;
    use.out += devices.size() - usable;
  }
  for (const v1::QuotaRow& row : facts.quota) {
    const auto found = classes.find(row.device_class());
    if (row.project().empty() && found != classes.end()) {
      const int64_t borrowed = std::min(row.borrowed(), found->second.owned);
      found->second.owned -= borrowed;
      found->second.borrowed += borrowed;
    }
  }
  return classes;
}

// Every kind that has devices has a cell.
std::string Bar(const ClassUse& use) {
  const std::pair<int64_t, const char*> parts[] = {
      {use.owned,    "█"},
      {use.borrowed, "▓"},
      {use.free,     "·" },
      {use.out,      "×" }
  };
  std::string bar;
  int64_t sum = 0;
  int cells = 0;
  for (const auto& [count, sign] : parts) {
    sum += count;
    const auto until =
        static_cast<int>(use.total() == 0 ? 0 : (sum * kBarCells + use.total() / 2) / use.total());
    const int end = count == 0 ? cells : std::min(std::max(until, cells + 1), kBarCells);
    for (; cells < end; ++cells) {
      bar += sign;
    }
  }
  return bar + std::string(static_cast<size_t>(kBarCells - cells), ' ');
}

std::string ClassLine(const std::string& name, const ClassUse& use) {
  return absl::StrCat(PadToWidth(CutToWidth(CleanText(name), kClassCells), kClassCells, false), " ",
                      Bar(use), "  ", use.owned + use.borrowed, " of ", use.total(), " in use",
                      use.borrowed == 0 ? "" : absl::StrCat(" (", use.borrowed, " borrowed)"),
                      use.out == 0 ? "" : absl::StrCat(", ", use.out, " out"));
}

std::string ClockText(absl::Time now) {
  return absl::FormatTime("%H:%M:%S", now, absl::LocalTimeZone());
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  lines.pop_back();  // the text ends with a line break
  return lines;
}

// A table's lines, of which no more than `most` stay, the last saying how many more there are.
std::vector<std::string> TableLines(const Listing& listing, const PictureSize& size, int most,
                                    absl::Time now) {
  std::vector<std::string> lines = LinesOf(
      Render(listing, {.kind = OutputKind::kTable}, size.columns, now).value_or(std::string("\n")));
  if (most > 0 && static_cast<int>(lines.size()) > most) {
    const size_t kept = static_cast<size_t>(std::max(most - 1, 0));
    const std::string more = absl::StrCat("  and ", lines.size() - kept, " more");
    lines.resize(kept);
    lines.push_back(more);
  }
  return lines;
}

std::string Picture(const std::vector<std::string>& lines, const PictureSize& size) {
  std::string text;
  for (size_t i = 0; i < lines.size() && (size.rows == 0 || i < static_cast<size_t>(size.rows));
       ++i) {
    absl::StrAppend(&text, CutToWidth(lines[i], size.columns), "\n");
  }
  return text;
}

bool IsWaiting(const v1::Job& job) {
  return job.state() == v1::JOB_STATE_QUEUED || job.state() == v1::JOB_STATE_HELD;
}

std::string CenterTitle(const CenterFacts& facts, absl::Time now) {
  const auto ready = std::count_if(facts.nodes.begin(), facts.nodes.end(),
                                   [](const v1::Node& node) { return TakesJobs(node.state()); });
  const auto waiting = std::count_if(facts.jobs.begin(), facts.jobs.end(), IsWaiting);
  return absl::StrCat(CleanText(facts.server), "  ", ClockText(now), "   nodes ", ready, " of ",
                      facts.nodes.size(), " ready   jobs ", facts.more_jobs ? "at least " : "",
                      static_cast<int64_t>(facts.jobs.size()) - waiting, " running, ", waiting,
                      " waiting");
}

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
  return absl::StrJoin(parts, "   ");
}

Listing NodesOfJob(const v1::Job& job, const std::vector<v1::Node>& nodes, absl::Time now) {
  std::map<std::string, const v1::Node*> by_name;
  for (const v1::Node& node : nodes) {
    by_name[node.name()] = &node;
  }
  Listing listing{
      .kind = "JobNodeList",
      .columns = {Left("NODE"),    Right("RANK"), Left("DEVICES", 1), Left("TASK"), Left("NODE STATE"),
                  Left("HEARD", 2)},
      .rows = {  }
  };
  for (const v1::Allocation& allocation : job.allocations()) {
    const auto found = by_name.find(allocation.node());
    const v1::Node* const node = found == by_name.end() ? nullptr : found->second;
    listing.rows.push_back({
        .json = {    },
        .cells = {
                 allocation.node(), absl::StrCat(allocation.rank()), DeviceIndexes(allocation),
                 allocation.state(), node == nullptr ? "" : NodeStateWord(node->state()),
                 node == nullptr ? "" : TimeForPeople(TimeFromMicros(node->last_heartbeat_us()), now)}
    });
  }
  return listing;
}

}  // namespace

std::string CenterPicture(const CenterFacts& facts, const PictureSize& size, absl::Time now) {
  std::vector<std::string> lines = {CenterTitle(facts, now)};
  for (const auto& [name, use] : UseByClass(facts)) {
    lines.push_back(ClassLine(name, use));
  }
  std::vector<v1::QuotaRow> tenants;
  for (const v1::QuotaRow& row : facts.quota) {
    if (row.project().empty()) {
      tenants.push_back(row);
    }
  }
  if (!tenants.empty()) {
    lines.emplace_back();
    // A third of the picture, so that jobs have their place.
    for (std::string& line : TableLines(QuotaListing(tenants, {}), size, size.rows / 3, now)) {
      lines.push_back(std::move(line));
    }
  }
  std::vector<v1::Job> jobs = facts.jobs;
  std::stable_sort(jobs.begin(), jobs.end(), [](const v1::Job& a, const v1::Job& b) {
    return std::pair(IsWaiting(a), a.id()) < std::pair(IsWaiting(b), b.id());
  });
  if (!jobs.empty()) {
    lines.emplace_back();
    const int left = size.rows == 0 ? 0 : std::max(size.rows - static_cast<int>(lines.size()), 1);
    for (std::string& line :
         TableLines(JobListing(jobs, facts.owners, OutputKind::kTable, now), size, left, now)) {
      lines.push_back(std::move(line));
    }
  }
  return Picture(lines, size);
}

std::string JobPicture(const v1::Job& job, const std::vector<v1::Node>& nodes,
                       const PictureSize& size, absl::Time now) {
  std::vector<std::string> lines = {JobTitle(job)};
  for (std::string line :
       {JobTimes(job, now), CleanText(job.notice().text()), CleanText(job.reason().message())}) {
    if (!line.empty()) {
      lines.push_back(std::move(line));
    }
  }
  if (!job.allocations().empty()) {
    lines.emplace_back();
    const int left = size.rows == 0 ? 0 : std::max(size.rows - static_cast<int>(lines.size()), 1);
    for (std::string& line : TableLines(NodesOfJob(job, nodes, now), size, left, now)) {
      lines.push_back(std::move(line));
    }
  }
  return Picture(lines, size);
}

}  // namespace berth
