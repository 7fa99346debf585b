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
  EXPECT_TRUE(absl::StrContains(text, "n2       1  5        running  ready")) << text;
  for (const std::string& line : Lines(text)) {
    EXPECT_LE(DisplayWidth(line), 80) << line;
  }
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
  EXPECT_EQ(FakeScheduler().Run({"top", "nonsense"}).code, 2);
}

}  // namespace
}  // namespace berth
