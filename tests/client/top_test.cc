#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <gtest/gtest.h>

#include "client/text.h"
#include "client/top_view.h"
#include "tests/client/fake_scheduler.h"

namespace berth {
namespace {

const absl::Time kTopNow = absl::FromUnixSeconds(1'790'000'000);

v1::Node NodeOf(const std::string& name, v1::NodeState state, int devices, int free) {
  v1::Node node;
  node.set_name(name);
  node.set_state(state);
  node.set_device_class("ascend-910b3");
  node.set_devices_free(free);
  for (int i = 0; i < devices; ++i) {
    node.mutable_facts()->add_devices()->set_health(v1::DEVICE_HEALTH_OK);
  }
  return node;
}

v1::QuotaRow QuotaOf(const std::string& tenant, int64_t owned, int64_t borrowed) {
  v1::QuotaRow row;
  row.set_tenant(tenant);
  row.set_device_class("ascend-910b3");
  row.set_used(owned + borrowed);
  row.set_owned(owned);
  row.set_borrowed(borrowed);
  return row;
}

v1::Job JobOf(uint64_t id, v1::JobState state, const std::string& name = "sft") {
  v1::Job job;
  job.set_id(id);
  job.set_name(name);
  job.set_state(state);
  job.mutable_gang()->set_nodes(2);
  job.mutable_gang()->set_devices_per_node(8);
  return job;
}

// Three nodes: one all in use (4 devices borrowed), one half free, one lost with all its devices
// free; one device is quarantined.
CenterFacts Center() {
  CenterFacts facts{.server = "center:7443"};
  facts.nodes = {NodeOf("n1", v1::NODE_STATE_READY, 8, 0), NodeOf("n2", v1::NODE_STATE_READY, 8, 4),
                 NodeOf("n3", v1::NODE_STATE_LOST, 8, 7)};
  facts.nodes[2].mutable_facts()->mutable_devices(3)->set_health(v1::DEVICE_HEALTH_QUARANTINED);
  facts.quota = {QuotaOf("acme", 8, 0), QuotaOf("railco", 0, 4)};
  facts.jobs = {JobOf(9, v1::JOB_STATE_QUEUED), JobOf(8, v1::JOB_STATE_RUNNING),
                JobOf(7, v1::JOB_STATE_HELD), JobOf(6, v1::JOB_STATE_STOPPING)};
  return facts;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  EXPECT_EQ(lines.back(), "");
  lines.pop_back();
  return lines;
}

size_t CountOf(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

TEST(CenterPicture, CountsNodesJobsAndDevices) {
  const std::vector<std::string> lines = Lines(CenterPicture(Center(), {.columns = 100}, kTopNow));
  EXPECT_TRUE(absl::StrContains(lines[0], "nodes 2 of 3 ready   jobs 2 running, 2 waiting"))
      << lines[0];
  EXPECT_TRUE(absl::StrContains(lines[1], "12 of 24 in use (4 borrowed), 8 out")) << lines[1];
  // 24 devices in 32 cells.
  EXPECT_EQ(CountOf(lines[1], "█"), 11u) << lines[1];
  EXPECT_EQ(CountOf(lines[1], "▓"), 5u);
  EXPECT_EQ(CountOf(lines[1], "·"), 5u);
  EXPECT_EQ(CountOf(lines[1], "×"), 11u);
}

TEST(CenterPicture, OneDeviceOfManyIsSeen) {
  CenterFacts facts;
  facts.nodes = {NodeOf("n1", v1::NODE_STATE_READY, 1000, 999)};
  const std::string line = Lines(CenterPicture(facts, {.columns = 100}, kTopNow)).at(1);
  EXPECT_EQ(CountOf(line, "█"), 1u) << line;
  EXPECT_EQ(CountOf(line, "·"), 31u);
}

TEST(CenterPicture, RunningJobsComeFirst) {
  const std::string text = CenterPicture(Center(), {.columns = 100}, kTopNow);
  const size_t table = text.find("WAIT/RUN");
  const auto line_of = [&](const char* id) {
    return text.find(absl::StrCat("\n ", id, "  sft"), table);
  };
  EXPECT_LT(line_of("6"), line_of("8"));
  EXPECT_LT(line_of("8"), line_of("7"));
  EXPECT_LT(line_of("7"), line_of("9"));
}

TEST(CenterPicture, FitsItsSizeAndCountsWhatDoesNot) {
  CenterFacts facts = Center();
  for (int i = 0; i < 40; ++i) {
    facts.quota.push_back(QuotaOf(absl::StrCat("租户-with-a-long-name-", i), 1, 0));
    facts.jobs.push_back(JobOf(100 + static_cast<uint64_t>(i), v1::JOB_STATE_RUNNING,
                               "训练-a-name-that-is-much-too-long-for-its-column"));
  }
  for (const int columns : {40, 80, 200}) {
    for (const int rows : {1, 5, 23, 60}) {
      const std::vector<std::string> lines =
          Lines(CenterPicture(facts, {.columns = columns, .rows = rows}, kTopNow));
      EXPECT_LE(lines.size(), static_cast<size_t>(rows));
      for (const std::string& line : lines) {
        EXPECT_LE(DisplayWidth(line), columns) << line;
      }
    }
  }
  const std::string text = CenterPicture(facts, {.columns = 80, .rows = 23}, kTopNow);
  EXPECT_EQ(CountOf(text, " more\n"), 2u) << text;
  EXPECT_EQ(CountOf(CenterPicture(facts, {.columns = 80}, kTopNow), " more\n"), 0u);
}

v1::Job RunningJob() {
  v1::Job job = JobOf(4812, v1::JOB_STATE_RUNNING, "llm7b-sft");
  job.set_started_at_us(absl::ToUnixMicros(kTopNow - absl::Minutes(134)));
  job.set_time_limit_ms(absl::ToInt64Milliseconds(absl::Hours(36)));
  job.mutable_notice()->set_text("epoch 3 \x1b[31mof 9");
  for (int node = 0; node < 2; ++node) {
    v1::Allocation* const allocation = job.add_allocations();
    allocation->set_rank(node);
    allocation->set_node(absl::StrCat("n", node + 1));
    allocation->set_state("running");
    allocation->add_devices()->set_index(5);
  }
  return job;
}

TEST(JobPicture, ShowsItsTimeAndItsNodes) {
  const std::string text = JobPicture(RunningJob(), Center().nodes, {.columns = 80}, kTopNow);
  EXPECT_TRUE(absl::StrContains(text, "llm7b-sft 4812 attempt 0   2 nodes × 8 devices   running"))
      << text;
  EXPECT_TRUE(absl::StrContains(text, "running for 2h14m of 1d12h")) << text;
  EXPECT_TRUE(absl::StrContains(text, "epoch 3")) << text;
  EXPECT_FALSE(absl::StrContains(text, "\x1b")) << text;
  EXPECT_TRUE(absl::StrContains(text, "NODE  RANK    5  MEAN  MEM  POWER  HEALTH  TASK     HEARD"))
      << text;
  EXPECT_TRUE(absl::StrContains(text, "n2       1    -     -    -      -  ok      running  -"))
      << text;
  for (const std::string& line : Lines(text)) {
    EXPECT_LE(DisplayWidth(line), 80) << line;
  }
}

// Devices 0 to 7 of `node`, as busy as each other, with half of their memory in use.
v1::Allocation BusyOn(const std::string& node, int percent) {
  v1::Allocation allocation;
  allocation.set_node(node);
  allocation.set_state("running");
  for (int index = 0; index < 8; ++index) {
    allocation.add_devices()->set_index(index);
    v1::DeviceSample& sample = *allocation.add_samples();
    sample.set_index(index);
    sample.set_utilization_percent(percent);
    sample.set_memory_used_mib(32 << 10);
    sample.set_power_watts(360);
  }
  return allocation;
}

std::vector<v1::Node> ReadyNodes(int count) {
  std::vector<v1::Node> nodes;
  for (int i = 0; i < count; ++i) {
    v1::Node& node = nodes.emplace_back(NodeOf(absl::StrCat("n", i), v1::NODE_STATE_READY, 8, 0));
    for (int index = 0; index < 8; ++index) {
      node.mutable_facts()->mutable_devices(index)->set_index(index);
      node.mutable_facts()->mutable_devices(index)->set_memory_mib(64 << 10);
    }
  }
  return nodes;
}

v1::Job BusyJob(const std::vector<int>& percents) {
  v1::Job job = JobOf(4812, v1::JOB_STATE_RUNNING, "llm7b-sft");
  for (size_t i = 0; i < percents.size(); ++i) {
    *job.add_allocations() = BusyOn(absl::StrCat("n", i), percents[i]);
    job.mutable_allocations(static_cast<int>(i))->set_rank(static_cast<int32_t>(i));
  }
  return job;
}

TEST(JobPicture, ShowsWhatEachDeviceIsBusyWithAndTheSlowestNode) {
  v1::Job job = BusyJob({97, 96, 61, 97});
  job.mutable_allocations(0)->mutable_samples(3)->set_utilization_percent(5);
  job.mutable_allocations(1)->mutable_samples(7)->clear_utilization_percent();
  const std::string text = JobPicture(job, ReadyNodes(4), {.columns = 120}, kTopNow);
  EXPECT_TRUE(absl::StrContains(text, "utilization 85 %")) << text;
  EXPECT_TRUE(absl::StrContains(text, "    0    1    2    3    4    5    6    7  MEAN   MEM"))
      << text;
  EXPECT_TRUE(absl::StrContains(text,
                                "n0       0   97   97   97    5   97   97   97   97  86 %  50 %  "
                                "2.9 kW  ok                     running  -\n"))
      << text;
  EXPECT_TRUE(absl::StrContains(text, "   96    -  96 %")) << text;
  // 61 of 96.
  EXPECT_EQ(CountOf(text, "← -36 % (slowest)"), 1u) << text;
  EXPECT_TRUE(absl::StrContains(Lines(text).at(6), "ok  ← -36 % (slowest)  running")) << text;
  const std::string narrow = JobPicture(job, ReadyNodes(4), {.columns = 80}, kTopNow);
  EXPECT_TRUE(absl::StrContains(narrow, "ok  ← -36 %")) << narrow;
  for (const std::string& line : Lines(narrow)) {
    EXPECT_LE(DisplayWidth(line), 80) << line;
  }
}

TEST(JobPicture, ANodeIsSlowOnlyIfItIsClearlyBehind) {
  const auto marks = [](const std::vector<int>& percents) {
    return CountOf(JobPicture(BusyJob(percents), ReadyNodes(4), {.columns = 160}, kTopNow),
                   "slowest");
  };
  EXPECT_EQ(marks({100, 81, 100, 100}), 0u);
  EXPECT_EQ(marks({100, 80, 100, 100}), 1u);
  EXPECT_EQ(marks({100, 10, 20, 100}), 1u);
  EXPECT_EQ(marks({90, 40}), 1u);
  EXPECT_EQ(marks({40}), 0u);
  EXPECT_EQ(marks({0, 0}), 0u);
  // Unknown is not slow.
  v1::Job job = BusyJob({90, 90, 90});
  job.mutable_allocations(1)->clear_samples();
  const std::string text = JobPicture(job, ReadyNodes(3), {.columns = 160}, kTopNow);
  EXPECT_EQ(CountOf(text, "slowest"), 0u) << text;
  EXPECT_TRUE(absl::StrContains(text, "    -    -     -     -       -  ok      running  -\n"))
      << text;
}

TEST(JobPicture, HealthIsThatOfTheWorstDeviceOrOfTheNode) {
  std::vector<v1::Node> nodes = ReadyNodes(3);
  nodes[0].mutable_facts()->mutable_devices(2)->set_health(v1::DEVICE_HEALTH_SUSPECT);
  nodes[1].set_state(v1::NODE_STATE_LOST);
  const std::string text = JobPicture(BusyJob({9, 9, 9}), nodes, {.columns = 160}, kTopNow);
  EXPECT_TRUE(absl::StrContains(text, "kW  suspect")) << text;
  EXPECT_TRUE(absl::StrContains(text, "kW  node lost")) << text;
  // A node that is not known any more: nor is what its devices have.
  const std::string gone = JobPicture(BusyJob({9, 9, 9}), {}, {.columns = 160}, kTopNow);
  EXPECT_EQ(CountOf(gone, "9 %    -  2.9 kW  -"), 3u) << gone;
  EXPECT_TRUE(absl::StrContains(text, "kW  ok")) << text;
}

TEST(JobPicture, MoreDevicesThanHaveColumnsAreOneMean) {
  v1::Job job = BusyJob({50});
  for (int index = 8; index < 64; ++index) {
    job.mutable_allocations(0)->add_devices()->set_index(index);
  }
  const std::string text = JobPicture(job, ReadyNodes(1), {.columns = 300}, kTopNow);
  EXPECT_TRUE(absl::StrContains(text, "RANK  DEVICES")) << text;
  EXPECT_TRUE(absl::StrContains(text, ",62,63  50 %  50 %  2.9 kW")) << text;
}

v1::Node UsedNode() {
  v1::Node node = ReadyNodes(1)[0];
  node.set_devices_free(5);
  for (int index = 0; index < 8; ++index) {
    node.mutable_facts()->mutable_devices(index)->set_device_class("ascend-910b3");
    node.add_uses()->set_index(index);
  }
  v1::DeviceUse& own = *node.mutable_uses(1);
  own.set_taken(true);
  own.add_jobs(4812);
  own.mutable_sample()->set_utilization_percent(0);
  own.mutable_sample()->set_memory_used_mib(32 << 10);
  own.mutable_sample()->set_power_watts(95);
  node.mutable_uses(2)->set_taken(true);
  node.mutable_facts()->mutable_devices(3)->set_health(v1::DEVICE_HEALTH_QUARANTINED);
  node.mutable_facts()->mutable_devices(3)->set_health_detail("Xid 79\x1b[31m");
  return node;
}

TEST(NodePicture, ShowsEveryDeviceWhoHasItAndWhatIsKnownOfIt) {
  const std::string text = NodePicture(UsedNode(), {.columns = 120}, kTopNow);
  const std::vector<std::string> lines = Lines(text);
  ASSERT_EQ(lines.size(), 11u) << text;
  EXPECT_TRUE(absl::StrContains(lines[0], "ready   8 devices, 5 free")) << text;
  EXPECT_TRUE(absl::StrContains(lines[3], "-       - of 64 GiB      -  ok")) << text;
  EXPECT_TRUE(absl::StrContains(lines[4], "ascend-910b3  4812")) << text;
  EXPECT_TRUE(absl::StrContains(lines[4], "0 %  32 GiB of 64 GiB   95 W  ok")) << text;
  EXPECT_TRUE(absl::StrContains(lines[5], "another tenant            -")) << text;
  EXPECT_TRUE(absl::StrContains(lines[6], "quarantined: Xid 79")) << text;
  EXPECT_FALSE(absl::StrContains(text, "\x1b")) << text;
  EXPECT_EQ(Lines(NodePicture(UsedNode(), {.columns = 40, .rows = 5}, kTopNow)).size(), 5u);
}

TEST(TenantPicture, ShowsItsClassesAndItsRunningJobs) {
  v1::Job running = BusyJob({90, 70});
  running.set_project("research");
  const std::string text = TenantPicture(
      {
          .name = "acme",
          .quota = {QuotaOf("acme", 8,                     4)     },
          .jobs = {JobOf(4900,     v1::JOB_STATE_QUEUED), running}
  },
      {.columns = 120}, kTopNow);
  EXPECT_EQ(text.find("acme  "), 0u) << text;
  EXPECT_TRUE(absl::StrContains(text, "jobs 1 running on 16 devices, 1 waiting")) << text;
  EXPECT_TRUE(absl::StrContains(text, "ENTITLEMENT  LIMIT  USED  OWNED  BORROWED  LENT  PENDING"))
      << text;
  EXPECT_TRUE(absl::StrContains(text, "running       16         80 %")) << text;
  EXPECT_FALSE(absl::StrContains(text, "4900")) << text;
}

TEST(JobPicture, AJobThatWaitsSaysWhy) {
  v1::Job job = JobOf(4812, v1::JOB_STATE_QUEUED);
  job.mutable_reason()->set_message("enough devices are free, but not on enough nodes");
  const std::string text = JobPicture(job, {}, {.columns = 80}, kTopNow);
  EXPECT_TRUE(absl::StrContains(text, "\nenough devices are free")) << text;
  EXPECT_EQ(Lines(text).size(), 2u) << text;
}

TEST(Top, IsPrintedOnceWhereNoTerminalIs) {
  FakeScheduler scheduler;
  scheduler.service.nodes = Center().nodes;
  scheduler.service.jobs[12] = JobOf(12, v1::JOB_STATE_RUNNING);
  for (const std::vector<std::string>& words : {
           std::vector<std::string>{"top"    },
           std::vector<std::string>{ "top", "--once"}
  }) {
    const Outcome outcome = scheduler.Run(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(absl::StrContains(outcome.out, "nodes 2 of 3 ready   jobs 1 running, 0 waiting"))
        << outcome.out;
    EXPECT_FALSE(absl::StrContains(outcome.out, "\x1b")) << outcome.out;
  }
  const Outcome job = scheduler.Run({"top", "12"});
  EXPECT_EQ(job.out.find("sft 12 attempt 0"), 0u) << job.out;
}

TEST(Top, RefusesWhatItCannotDo) {
  EXPECT_EQ(FakeScheduler().Run({"top", "-o", "json"}).code, 2);
  EXPECT_EQ(FakeScheduler().Run({"top", "--interval", "1ms"}).code, 2);
}

TEST(Top, AWordIsAJobANodeOrATenant) {
  FakeScheduler scheduler;
  scheduler.service.nodes = {UsedNode(), NodeOf("acme-2", v1::NODE_STATE_READY, 8, 8),
                             NodeOf("10", v1::NODE_STATE_READY, 8, 8)};
  scheduler.service.tenants = {"acme", "acme-2"};
  scheduler.service.jobs[10] = BusyJob({90});
  const auto picture = [&](const std::string& word) { return scheduler.Run({"top", word}).out; };
  EXPECT_EQ(picture("n0").find("n0  "), 0u);
  EXPECT_EQ(picture("acme").find("acme  "), 0u);
  EXPECT_EQ(picture("10").find("llm7b-sft 10 "), 0u);
  EXPECT_EQ(picture("node:10").find("10  "), 0u);
  EXPECT_TRUE(absl::StrContains(picture("node:acme-2"), "8 devices, 8 free"));
  EXPECT_TRUE(absl::StrContains(picture("tenant:acme-2"), "running on"));

  const Outcome both = scheduler.Run({"top", "acme-2"});
  EXPECT_EQ(both.code, 2);
  EXPECT_TRUE(absl::StrContains(both.err, "write node:acme-2 or tenant:acme-2")) << both.err;
  for (const char* word : {"nonsense", "node:nonsense"}) {
    const Outcome none = scheduler.Run({"top", word});
    EXPECT_EQ(none.code, 3) << none.err;
    EXPECT_TRUE(absl::StrContains(none.err, "B1311")) << none.err;
  }
}

TEST(Show, TellsTheMeanUtilizationIfItIsKnown) {
  FakeScheduler scheduler;
  scheduler.service.jobs[12] = BusyJob({90, 70});
  EXPECT_TRUE(absl::StrContains(scheduler.Run({"show", "12"}).out, "80 %"));
  EXPECT_TRUE(absl::StrContains(scheduler.Run({"show", "12", "-o", "json"}).out,
                                "\"utilization_percent\":80"));
  scheduler.service.jobs[12] = JobOf(12, v1::JOB_STATE_RUNNING);
  EXPECT_FALSE(absl::StrContains(scheduler.Run({"show", "12"}).out, "utilization"));
  EXPECT_TRUE(absl::StrContains(scheduler.Run({"show", "12", "-o", "json"}).out,
                                "\"utilization_percent\":null"));
}

}  // namespace
}  // namespace berth
