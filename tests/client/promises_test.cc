// Commands about what is promised and explained: bookings, queues, dated quotas, updates, plans.

#include "absl/time/clock.h"
#include <gtest/gtest.h>

#include "client/node_list.h"
#include "client/output.h"
#include "tests/client/fake_scheduler.h"

namespace berth {
namespace {

constexpr Option kNodes = Value("nodes", "NODES", "");

std::vector<std::string> Nodes(const std::string& text) {
  const auto nodes = NodesOf({.option = &kNodes, .text = text, .origin = {}});
  return nodes.ok() ? *nodes : std::vector<std::string>{"refused"};
}

TEST(NodeList, ReadsRangesAndWritesThem) {
  EXPECT_EQ(Nodes("qd-a[01-03,7],b2"),
            (std::vector<std::string>{"qd-a01", "qd-a02", "qd-a03", "qd-a7", "b2"}));
  EXPECT_EQ(Nodes("n[8-10].rack"), (std::vector<std::string>{"n8.rack", "n9.rack", "n10.rack"}));
  for (const char* bad :
       {"", "a,,b", "n[1-", "n]1[", "n[a-b]", "n[3-1]", "n[1][2]", "n[]", "n[0-99999]"}) {
    EXPECT_EQ(Nodes(bad), std::vector<std::string>{"refused"}) << bad;
  }
  EXPECT_EQ(FoldNodes({"n3", "n1", "n2", "gpu", "n07"}), "gpu,n[1-3],n07");
  EXPECT_EQ(FoldNodes({"a01", "a02", "a04"}), "a[01-02,04]");
  EXPECT_EQ(FoldNodes({}), "");
}

// Rule (ux.md 2.1): without a terminal and without a yes, nothing happens but the command to type.
TEST(Maintenance, ShowsItsEffectAndWantsAYes) {
  FakeScheduler scheduler;
  const std::vector<std::string> plan = {"maintenance", "plan",  "--nodes", "n[01-02]", "--from",
                                         "+1h",         "--for", "6h",      "--reason", "leaf L1"};
  const Outcome asked = scheduler.Run(plan);
  EXPECT_EQ(asked.code, 2);
  EXPECT_NE(asked.err.find("3 running jobs could overlap"), std::string::npos) << asked.err;
  EXPECT_NE(asked.err.find("berth maintenance plan --nodes n[01-02] --from +1h --for 6h --reason "
                           "'leaf L1' --yes"),
            std::string::npos)
      << asked.err;
  ASSERT_EQ(scheduler.service.booked.size(), 1u);
  EXPECT_TRUE(scheduler.service.booked[0].dry_run());

  std::vector<std::string> sure = plan;
  sure.push_back("-y");
  const Outcome done = scheduler.Run(sure);
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out.find("maintenance 5: n[01-02] from "), 0u) << done.out;
  const v1::AddBookingRequest& request = scheduler.service.booked.at(2);
  EXPECT_FALSE(request.dry_run());
  EXPECT_EQ(request.nodes_size(), 2);
  EXPECT_EQ(request.to_us() - request.from_us(), int64_t{6 * 3600} * 1000 * 1000);
  EXPECT_EQ(request.reason(), "leaf L1");

  std::vector<std::string> dry = plan;
  dry.push_back("--dry-run");
  EXPECT_EQ(scheduler.Run(dry).code, 0);
  EXPECT_TRUE(scheduler.service.booked.back().dry_run());
}

TEST(Maintenance, RefusesHalfASpan) {
  FakeScheduler scheduler;
  EXPECT_EQ(scheduler.Run({"maintenance", "plan", "--nodes", "n1"}).code, 2);
  EXPECT_EQ(scheduler.Run({"maintenance", "plan", "--for", "2h"}).code, 2);
  EXPECT_EQ(
      scheduler.Run({"maintenance", "plan", "--nodes", "n1", "--for", "2h", "--to", "+3h"}).code,
      2);
  EXPECT_EQ(
      scheduler.Run({"maintenance", "plan", "--nodes", "n1", "--from", "+3h", "--to", "+2h"}).code,
      2);
  EXPECT_TRUE(scheduler.service.booked.empty());
}

TEST(Maintenance, IsListedAndCalledOff) {
  FakeScheduler scheduler;
  v1::Booking& booking = scheduler.service.bookings.emplace_back();
  booking.set_id(3);
  booking.set_kind(v1::BOOKING_KIND_MAINTENANCE);
  booking.add_nodes("n1");
  booking.set_from_us(int64_t{1'800'000'000} * 1'000'000);
  booking.set_to_us(int64_t{1'800'003'600} * 1'000'000);
  const Json list = Json::parse(scheduler.Run({"maintenance", "list", "-o", "json"}).out);
  EXPECT_EQ(list["items"][0]["id"], 3);
  EXPECT_EQ(list["items"][0]["kind"], "maintenance");
  const Outcome none = scheduler.Run({"maintenance", "cancel", "4", "-y"});
  EXPECT_EQ(none.code, 3);
  EXPECT_EQ(none.err.find("error[B2005]: no maintenance 4\n"), 0u) << none.err;
  EXPECT_EQ(scheduler.Run({"maintenance", "cancel", "3"}).code, 2);
  EXPECT_TRUE(scheduler.service.ended.empty());
  const Outcome ended = scheduler.Run({"maintenance", "cancel", "3", "-y"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out.find("maintenance 3: n1 from 2027-01-1"), 0u) << ended.out;
  EXPECT_NE(ended.out.find(", ended\n"), std::string::npos) << ended.out;
  EXPECT_EQ(scheduler.service.ended, std::vector<uint64_t>{3});
}

TEST(Reserve, TakesNamesOrANumberOfAClass) {
  FakeScheduler scheduler;
  EXPECT_EQ(
      scheduler.Run({"reserve", "add", "--tenant", "acme", "--nodes", "4", "--for", "2d", "-y"})
          .code,
      2);
  EXPECT_EQ(scheduler.Run({"reserve", "add", "--nodes", "n1", "--for", "2d", "-y"}).code, 2);
  EXPECT_EQ(scheduler
                .Run({"reserve", "add", "--tenant", "acme", "--nodes", "4", "--class", "sim",
                      "--for", "2d", "-y"})
                .code,
            0);
  const v1::AddBookingRequest& request = scheduler.service.booked.back();
  EXPECT_EQ(request.kind(), v1::BOOKING_KIND_RESERVATION);
  EXPECT_EQ(request.node_count(), 4);
  EXPECT_EQ(request.device_class(), "sim");
  EXPECT_EQ(request.tenant(), "acme");
}

TEST(TenantSuspend, SaysWhatBecomesOfItsJobs) {
  FakeScheduler scheduler;
  EXPECT_EQ(scheduler.Run({"tenant", "suspend", "acme"}).out,
            "tenant acme is suspended\n  running jobs that go on: 2\n");
  EXPECT_NE(
      scheduler.Run({"tenant", "suspend", "acme", "-o", "json"}).out.find("\"suspended\":true"),
      std::string::npos);
  EXPECT_EQ(scheduler.Run({"tenant", "resume", "acme"}).out.substr(0, 22),
            "tenant acme is active\n");
  EXPECT_EQ(scheduler.Run({"tenant", "suspend"}).code, 2);
}

TEST(TenantSet, ChoosesAQueue) {
  FakeScheduler scheduler;
  EXPECT_EQ(scheduler.Run({"tenant", "set", "acme", "--queue", "stepped:2h"}).out,
            "tenant acme queues stepped:2h\n");
  EXPECT_EQ(scheduler.service.queues.at(0).queue(), v1::QUEUE_PRESET_STEPPED);
  EXPECT_EQ(scheduler.service.queues.at(0).stepped_timeout_ms(), 2 * 3600 * 1000);
  EXPECT_EQ(scheduler.Run({"tenant", "set", "acme", "--queue", "fifo"}).code, 0);
  EXPECT_EQ(scheduler.Run({"tenant", "set", "acme", "--queue", "fifo:2h"}).code, 2);
  EXPECT_EQ(scheduler.Run({"tenant", "set", "acme", "--queue", "lifo"}).code, 2);
  EXPECT_EQ(scheduler.Run({"tenant", "set", "acme"}).code, 2);
  EXPECT_EQ(scheduler.service.queues.size(), 2u);
}

TEST(Update, SendsOnlyWhatIsNamed) {
  FakeScheduler scheduler;
  EXPECT_EQ(scheduler.Run({"update", "12", "--nodes", "3", "--time", "1h", "--no-borrow"}).code, 0);
  const v1::UpdateJobRequest& request = scheduler.service.updates.at(0);
  EXPECT_EQ(request.job_id(), 12u);
  EXPECT_EQ(request.nodes(), 3);
  EXPECT_EQ(request.time_limit_ms(), 3600 * 1000);
  EXPECT_TRUE(request.no_borrow());
  EXPECT_FALSE(request.has_priority());
  EXPECT_FALSE(request.has_devices_per_node());
  EXPECT_EQ(scheduler.Run({"update", "12"}).code, 2);
  EXPECT_EQ(scheduler.Run({"update", "12", "--borrow", "--no-borrow"}).code, 2);
  EXPECT_EQ(scheduler.Run({"update", "12", "--nodes", "0"}).code, 2);
}

TEST(Quota, DatedEditsAreShown) {
  FakeScheduler scheduler;
  v1::QuotaRow& row = scheduler.service.quota.emplace_back();
  row.set_tenant("acme");
  row.set_device_class("sim");
  row.mutable_limits()->set_entitlement(8);
  v1::QuotaEdit& edit = scheduler.service.edits.emplace_back();
  edit.set_tenant("acme");
  edit.set_device_class("sim");
  edit.mutable_limits()->set_entitlement(16);
  edit.set_effective_at_us(int64_t{1'800'000'000} * 1'000'000);
  const Json items = Json::parse(scheduler.Run({"quota", "-o", "json"}).out)["items"];
  EXPECT_EQ(items[0]["entitlement"], 8);
  EXPECT_EQ(items[0]["edits"][0]["entitlement"], 16);
  const std::string text = scheduler.Run({"quota"}).out;
  EXPECT_NE(text.find("acme sim: entitlement 16, limit none"), std::string::npos) << text;
  EXPECT_EQ(scheduler
                .Run({"quota", "set", "acme", "--class", "sim", "--limit", "9", "--from", "+2d",
                      "--blocks", "2"})
                .code,
            0);
  const v1::SetQuotaRequest& set = scheduler.service.quota_changes.at(0);
  EXPECT_GT(set.effective_at_us(), 0);
  EXPECT_EQ(set.limits().block_level(), "node");
  EXPECT_EQ(set.limits().block_level_count(), 2);
}

v1::Explanation Waiting() {
  v1::Explanation explanation;
  explanation.set_verdict(v1::Explanation::VERDICT_WAITS);
  v1::Job& job = *explanation.mutable_job();
  job.set_id(4812);
  job.set_name("llm");
  job.set_tenant("acme");
  job.set_state(v1::JOB_STATE_QUEUED);
  v1::Reason& reason = *explanation.add_blockers();
  reason.set_code("B3201");
  reason.set_name("fragmentation");
  reason.set_message("needs 4 whole nodes, 3 are free");
  v1::Reclaim& reclaim = *job.add_reclaims();
  reclaim.set_tenant("another tenant");
  reclaim.set_nodes(2);
  reclaim.set_devices_per_node(8);
  reclaim.set_entitlement(64);
  v1::ReclaimCandidate& candidate = *reclaim.add_candidates();
  candidate.set_job_id(4812);
  candidate.set_tenant("acme");
  candidate.set_devices(32);
  candidate.set_chosen(true);
  return explanation;
}

TEST(Explain, SaysWhatStopsAJobAndWhoRecalledIt) {
  FakeScheduler scheduler;
  scheduler.service.explanation = Waiting();
  const std::string text = scheduler.Run({"explain", "4812"}).out;
  EXPECT_NE(text.find("CANNOT START NOW — 1 blocker"), std::string::npos) << text;
  EXPECT_NE(text.find("B3201 fragmentation"), std::string::npos) << text;
  EXPECT_NE(text.find("another tenant claimed 2 × 8 "), std::string::npos) << text;
  EXPECT_NE(text.find("gave 32 devices  job 4812#0 of acme"), std::string::npos) << text;
  const Json item = Json::parse(scheduler.Run({"explain", "4812", "-o", "json"}).out)["items"][0];
  EXPECT_EQ(item["verdict"], "waits");
  EXPECT_EQ(item["blockers"][0]["code"], "B3201");
  EXPECT_EQ(item["reclaims"][0]["claim_job"], Json());
  EXPECT_EQ(item["reclaims"][0]["candidates"][0]["job"], 4812);
}

TEST(Explain, AskedAboutAChangeItSendsTheChange) {
  FakeScheduler scheduler;
  scheduler.service.explanation = Waiting();
  EXPECT_EQ(scheduler.Run({"explain", "4812", "--what-if", "--nodes", "2", "--time", "12h"}).code,
            0);
  const v1::ExplainJobRequest& request = scheduler.service.explained.at(0);
  EXPECT_EQ(request.job_id(), 4812u);
  EXPECT_EQ(request.what_if().nodes(), 2);
  EXPECT_EQ(request.what_if().time_limit_ms(), 12 * 3600 * 1000);
  EXPECT_TRUE(scheduler.service.updates.empty());
  // A change without the question, and the question without a change.
  EXPECT_EQ(scheduler.Run({"explain", "4812", "--nodes", "2"}).code, 2);
  EXPECT_EQ(scheduler.Run({"explain", "4812", "--what-if"}).code, 2);
  EXPECT_EQ(scheduler.service.explained.size(), 1u);
}

v1::Explanation Failed() {
  v1::Explanation explanation = Waiting();
  explanation.set_verdict(v1::Explanation::VERDICT_ENDED);
  explanation.mutable_job()->set_state(v1::JOB_STATE_FAILED);
  explanation.mutable_job()->mutable_end()->set_failed_rank(3);
  return explanation;
}

TEST(Explain, AFailedRankIsShownWithItsLastLines) {
  FakeScheduler scheduler;
  scheduler.service.explanation = Failed();
  scheduler.service.log = "epoch 3\nCUDA error: \x1b[31mout of memory\n";
  const std::string text = scheduler.Run({"explain", "4812"}).out;
  EXPECT_NE(text.find("LAST LINES\n    epoch 3\n    CUDA error"), std::string::npos) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(scheduler.service.log_requests.at(0).rank(), 3);
  EXPECT_EQ(scheduler.service.log_requests.at(0).tail_lines(), 10);
  const Json item = Json::parse(scheduler.Run({"explain", "4812", "-o", "json"}).out)["items"][0];
  EXPECT_EQ(item["last_lines"][0], "epoch 3");
}

TEST(Explain, OfAJobThatABoundEndedNamesTheWayBeyondIt) {
  FakeScheduler scheduler;
  scheduler.service.explanation = Failed();
  v1::Job& job = *scheduler.service.explanation.mutable_job();
  const auto explained = [&](v1::EndReason reason) {
    job.mutable_end()->set_reason(reason);
    return scheduler.Run({"explain", "4812"}).out;
  };
  job.set_time_limit_ms(5'400'000);
  job.mutable_gang()->mutable_per_node()->set_memory_mib(65536);
  for (const auto& [reason, advice] : {
           std::pair{v1::END_REASON_OOM,        "YOU CAN         berth retry 4812 --memory 128GiB "},
           std::pair{v1::END_REASON_TIME_LIMIT, "YOU CAN         berth retry 4812 --time 3h "      },
  }) {
    EXPECT_NE(explained(reason).find(advice), std::string::npos) << explained(reason);
  }
  EXPECT_EQ(explained(v1::END_REASON_EXIT).find("YOU CAN"), std::string::npos);
}

// An array has no log to look at: its tasks have.
TEST(Explain, OfAFailedArrayNamesItsTasks) {
  FakeScheduler scheduler;
  scheduler.service.explanation = Failed();
  v1::Job& job = *scheduler.service.explanation.mutable_job();
  job.mutable_array()->set_count(3);
  job.mutable_array()->set_succeeded(2);
  job.mutable_array()->set_failed(1);
  job.mutable_end()->set_message("task 1 (job 4814): exit:1");
  const std::string text = scheduler.Run({"explain", "4812"}).out;
  EXPECT_NE(text.find("SEE             berth ps -a --tasks --state failed\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find(", 2 done, 1 failed\nFIRST FAILURE   task 1 (job 4814): exit:1\n"),
            std::string::npos)
      << text;
  job.set_state(v1::JOB_STATE_CANCELLED);
  job.mutable_end()->set_reason(v1::END_REASON_CANCELLED);
  job.mutable_end()->set_message("cancelled by wei");
  const std::string cancelled = scheduler.Run({"explain", "4812"}).out;
  EXPECT_NE(cancelled.find("WHY             cancelled by wei\nSEE  "), std::string::npos)
      << cancelled;
  job.set_state(v1::JOB_STATE_RUNNING);
  job.mutable_array()->set_succeeded(0);
  job.mutable_array()->set_live(2);
  job.mutable_array()->set_started(3);
  scheduler.service.explanation.set_verdict(v1::Explanation::VERDICT_RUNS);
  const std::string runs = scheduler.Run({"explain", "4812"}).out;
  EXPECT_NE(runs.find("NOW             running 2/3, 1 failed\n"), std::string::npos) << runs;
}

TEST(Explain, SaysEachThingOnce) {
  FakeScheduler scheduler;
  v1::Explanation& explanation = scheduler.service.explanation;
  explanation = Waiting();
  explanation.set_jobs_ahead(1);
  const int64_t soon = absl::ToUnixMicros(absl::Now() + absl::Minutes(90) + absl::Seconds(30));
  explanation.set_start_latest_us(soon);
  explanation.set_start_likely_us(soon);
  explanation.set_start_likely_to_us(soon + 1);
  const std::string text = scheduler.Run({"explain", "4812"}).out;
  EXPECT_NE(text.find("at the latest, likely in 1h30m\n"), std::string::npos) << text;
  EXPECT_NE(text.find("AHEAD OF YOU    1 job\n"), std::string::npos) << text;
  explanation.set_start_likely_to_us(soon + int64_t{3600} * 1'000'000);
  const std::string span = scheduler.Run({"explain", "4812"}).out;
  EXPECT_NE(span.find("at the latest, likely in 1h30m to 2h30m\n"), std::string::npos) << span;
  explanation.set_verdict(v1::Explanation::VERDICT_ENDED);
  explanation.mutable_job()->set_state(v1::JOB_STATE_CANCELLED);
  explanation.mutable_job()->mutable_end()->set_reason(v1::END_REASON_CANCELLED);
  explanation.mutable_job()->mutable_end()->set_failed_rank(-1);
  explanation.mutable_job()->mutable_end()->set_message("cancelled by wei");
  const std::string end = scheduler.Run({"explain", "4812"}).out;
  EXPECT_NE(end.find("WHY             cancelled by wei\n"), std::string::npos) << end;
}

TEST(Explain, WatchingItSaysWhatIsNewAndEndsWithTheJob) {
  FakeScheduler scheduler;
  scheduler.service.explanation = Waiting();
  scheduler.service.later_explanation = Failed();
  const std::string text = scheduler.Run({"explain", "4812", "--watch"}).out;
  const size_t waits = text.find("CANNOT START NOW");
  ASSERT_NE(waits, std::string::npos) << text;
  EXPECT_EQ(text.find("CANNOT START NOW", waits + 1), std::string::npos) << text;
  EXPECT_NE(text.find("FIRST FAILURE", waits), std::string::npos) << text;
}

TEST(Explain, NothingFromOthersReachesTheTerminal) {
  FakeScheduler scheduler;
  scheduler.service.explanation = Waiting();
  scheduler.service.explanation.mutable_blockers(0)->set_message("evil \x1b[31m");
  scheduler.service.explanation.mutable_job()->set_name("\x1b]0;x");
  EXPECT_EQ(scheduler.Run({"explain", "4812"}).out.find('\x1b'), std::string::npos);
}

TEST(Submit, APlanExitsWithItsVerdict) {
  FakeScheduler scheduler;
  scheduler.service.explanation = Waiting();
  EXPECT_EQ(scheduler.Run({"submit", "--plan", "--", "true"}).code, 10);
  scheduler.service.explanation.set_start_latest_us(int64_t{1'800'000'000} * 1'000'000);
  scheduler.service.explanation.set_verdict(v1::Explanation::VERDICT_STARTS_NOW);
  const Outcome now = scheduler.Run({"submit", "--plan", "--", "true"});
  EXPECT_EQ(now.code, 0);
  EXPECT_NE(now.out.find("nothing was submitted"), std::string::npos);
  EXPECT_EQ(now.out.find("EXPECTED START"), std::string::npos) << "it starts now";
  EXPECT_EQ(now.out.find("COST"), std::string::npos) << "without devices it costs none";
  EXPECT_NE(scheduler.Run({"submit", "--plan", "--array", "0-5", "--", "true"})
                .out.find("PLAN  true   6 tasks, each "),
            std::string::npos);
  scheduler.service.explanation.set_device_hours_most(1152);
  EXPECT_NE(scheduler.Run({"submit", "--plan", "--", "true"})
                .out.find("up to 1152 device-hours, by its time limit"),
            std::string::npos);
  scheduler.service.explanation.add_notes()->set_message("needs 16, you own 8");
  scheduler.service.explanation.add_submission_notes("needs 16, you own 8");
  const std::string noted = scheduler.Run({"submit", "--plan", "--", "true"}).out;
  EXPECT_EQ(noted.find("needs 16"), noted.rfind("needs 16")) << noted;
  scheduler.service.explanation.set_verdict(v1::Explanation::VERDICT_NEVER);
  EXPECT_EQ(scheduler.Run({"submit", "--plan", "--", "true"}).code, 6);
  EXPECT_TRUE(scheduler.service.submissions.empty());
  EXPECT_TRUE(scheduler.service.explained.at(0).has_submit());
}

}  // namespace
}  // namespace berth
