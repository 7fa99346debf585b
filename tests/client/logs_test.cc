// `berth logs` of several ranks, of chosen lines, and into files.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "common/error_detail.h"
#include "tests/client/fake_scheduler.h"
#include "tests/testing/temp_dir.h"
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int64_t kNoon = 1'790'000'000'000'000;

struct Part {
  int64_t at_us = 0;  // after noon
  std::string text;
};

// One piece of which each part has a time.
v1::StreamLogsResponse Piece(int rank, int64_t offset, const std::vector<Part>& parts) {
  v1::StreamLogsResponse piece;
  piece.set_rank(rank);
  piece.set_offset_bytes(offset);
  for (const Part& part : parts) {
    v1::LogStamp* const stamp = piece.add_stamps();
    stamp->set_offset_bytes(offset + static_cast<int64_t>(piece.data().size()));
    stamp->set_at_us(kNoon + part.at_us);
    piece.mutable_data()->append(part.text);
  }
  return piece;
}

absl::Status NodeAway() {
  return MakeError(absl::StatusCode::kUnavailable,
                   {.code = "B5301", .message = "node n2 is not connected", .why = "", .fix = ""});
}

// A job of two nodes with two devices each, which runs, or has ended.
class RankLogs : public ::testing::Test {
 protected:
  RankLogs() {
    v1::Job& job = scheduler_.service.jobs[12];
    job.set_state(v1::JOB_STATE_SUCCEEDED);
    job.set_attempt(3);
    job.mutable_gang()->set_nodes(4);
    job.mutable_gang()->set_devices_per_node(2);
    for (int node = 0; node < 2; ++node) {  // elastic: two of four
      v1::Allocation* const allocation = job.add_allocations();
      allocation->set_rank(node);
      allocation->set_attempt(3);
    }
    scheduler_.service.launch = v1::LAUNCH_MODE_DEVICE;
    for (int rank = 0; rank < 4; ++rank) {
      Log(rank) = {
          Piece(rank, 0,
                {{1000 + rank, "HCCL init ok\n"},
                          {900'000 * (rank + 1), absl::StrCat("step ", rank, " loss 1\n")}}
                 )
      };
    }
  }
  std::vector<v1::StreamLogsResponse>& Log(int rank) {
    return scheduler_.service.rank_logs[rank].pieces;
  }
  Outcome Logs(std::vector<std::string> options) {
    options.insert(options.begin(), {"logs", "12"});
    return scheduler_.Run(options);
  }
  std::string FileText(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(dir_.File(name)).rdbuf();
    return text.str();
  }

  FakeScheduler scheduler_;
  TempDir dir_;
};

TEST_F(RankLogs, AllAreMergedByTimeAndWhatIsAlikeStandsOnce) {
  const Outcome outcome = Logs({"--all"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "[r0-3 ×4] HCCL init ok\n[r0] step 0 loss 1\n[r1] step 1 loss 1\n"
            "[r2] step 2 loss 1\n[r3] step 3 loss 1\n");
  ASSERT_EQ(scheduler_.service.log_requests.size(), 4u);
  EXPECT_EQ(scheduler_.service.log_requests[0].attempt(), 3);
  EXPECT_TRUE(scheduler_.service.log_requests[0].with_stamps());
}

TEST_F(RankLogs, ASetOfThem) {
  Log(10) = {
      Piece(10, 0, {{5, "ten\n"}}
        )
  };
  const Outcome outcome = Logs({"--rank", "1,3,10"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "[r10] ten\n[r1,3 ×2] HCCL init ok\n[r1]  step 1 loss 1\n[r3]  step 3 loss 1\n");
}

TEST_F(RankLogs, OneAloneIsAsItWasWritten) {
  EXPECT_EQ(Logs({"--rank", "2"}).out, "HCCL init ok\nstep 2 loss 1\n");
  EXPECT_EQ(scheduler_.Run({"logs", "12/2"}).out, "HCCL init ok\nstep 2 loss 1\n");
  EXPECT_EQ(scheduler_.service.log_requests.back().rank(), 2);
}

TEST_F(RankLogs, AnOlderAttemptHadRanksOfItsOwn) {
  scheduler_.service.jobs[12].add_allocations()->set_attempt(1);
  Logs({"--all", "--attempt", "1"});
  EXPECT_EQ(scheduler_.service.log_requests.size(), 2u);
  // Of whose nodes nobody knows: those that were asked for.
  Logs({"--all", "--attempt", "2"});
  EXPECT_EQ(scheduler_.service.log_requests.size(), 2u + 8u);
}

TEST_F(RankLogs, LinesAreChosen) {
  EXPECT_EQ(Logs({"--all", "--grep", "step [13]"}).out, "[r1] step 1 loss 1\n[r3] step 3 loss 1\n");
  EXPECT_EQ(Logs({"--rank", "1", "--grep", "^HCCL"}).out, "HCCL init ok\n");
  const Outcome bad = Logs({"--all", "--grep", "("});
  EXPECT_EQ(bad.code, 2);
  EXPECT_NE(bad.err.find("no regular expression"), std::string::npos) << bad.err;
}

TEST_F(RankLogs, TailAndTimeGoToTheNodes) {
  Logs({"--all", "--tail", "5", "--since", "2026-11-26T08:00:00Z"});
  for (const v1::StreamLogsRequest& request : scheduler_.service.log_requests) {
    EXPECT_EQ(request.tail_lines(), 5);
    EXPECT_EQ(request.since_us(), 1'795'680'000'000'000);
  }
}

TEST_F(RankLogs, AProgressBarDoesNotWriteOverItsRank) {
  Log(0) = {
      Piece(0, 0, {{1, " 10%\r 50%\r100%\r\ndone\r\n"}}
        )
  };
  EXPECT_EQ(Logs({"--rank", "0,1", "--tail", "9", "--grep", "%|done"}).out,
            "[r0] 100%\n[r0] done\n");
}

TEST_F(RankLogs, AreObjectsForPrograms) {
  const Outcome lines = Logs({"--rank", "0-1", "--grep", "HCCL", "-o", "jsonl"});
  EXPECT_EQ(lines.out,
            "{\"rank\":0,\"at\":\"2026-09-21T14:13:20.001000+00:00\",\"text\":\"HCCL init ok\"}\n"
            "{\"rank\":1,\"at\":\"2026-09-21T14:13:20.001001+00:00\",\"text\":\"HCCL init ok\"}\n");
  const Json document = Json::parse(Logs({"--all", "-o", "json"}).out);
  EXPECT_EQ(document["kind"], "LogLineList");
  EXPECT_EQ(document["items"].size(), 8u);
  EXPECT_EQ(Json::parse(Logs({"--all", "-o", "json", "--grep", "nowhere"}).out)["items"].size(),
            0u);
  EXPECT_EQ(Logs({"-f", "--all", "-o", "json"}).code, 2);
  EXPECT_EQ(Logs({"--all", "-o", "csv"}).code, 2);
}

TEST_F(RankLogs, ARankThatIsLostIsToldAndTheOthersGoOn) {
  scheduler_.service.rank_logs[2].end = NodeAway();
  scheduler_.service.rank_logs[3] = {.pieces = {}, .end = NodeAway()};
  const Outcome outcome = Logs({"--all"});
  EXPECT_EQ(outcome.code, 8);
  EXPECT_EQ(outcome.out,
            "[r0-2 ×3] HCCL init ok\n[r0] step 0 loss 1\n[r1] step 1 loss 1\n[r2] step 2 loss 1\n");
  EXPECT_NE(outcome.err.find("error[B5301]: ranks 2-3: node n2 is not connected"),
            std::string::npos)
      << outcome.err;
}

TEST_F(RankLogs, WhatAllAreRefusedIsToldOnce) {
  for (int rank = 0; rank < 4; ++rank) {
    scheduler_.service.rank_logs[rank] = {.pieces = {}, .end = NodeAway()};
  }
  const Outcome outcome = Logs({"--all"});
  EXPECT_EQ(outcome.code, 7);
  EXPECT_EQ(outcome.err, "error[B5301]: node n2 is not connected\n");
}

// One that has told so, and one that is told at the end: still nothing but the center is away.
TEST_F(RankLogs, AllThatAreAwayAreNoPart) {
  for (int rank = 0; rank < 4; ++rank) {
    scheduler_.service.rank_logs[rank] = {
        .pieces = {},
        .end = absl::UnavailableError(absl::StrCat("node n", rank / 2, " is not connected"))};
  }
  const Outcome outcome = Logs({"--all"});
  EXPECT_EQ(outcome.code, 7);
  EXPECT_NE(outcome.err.find("ranks 0-1: "), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("ranks 2-3: "), std::string::npos) << outcome.err;
}

TEST_F(RankLogs, FollowingGoesOnWhereARankWasLost) {
  scheduler_.service.rank_logs[1].end = NodeAway();
  const int64_t size = static_cast<int64_t>(Log(1)[0].data().size());
  Log(1).push_back(Piece(1, size,
                         {
                             {4'000'000, "back again\n"}
  }));
  const Outcome outcome = Logs({"-f", "--rank", "0-1"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "[r0-1 ×2] HCCL init ok\n[r0] step 0 loss 1\n[r1] step 1 loss 1\n[r1] back again\n");
}

TEST_F(RankLogs, WhatHasLeftTheLogIsTold) {
  Log(1) = {
      Piece(1, 100, {{1, "rest\n"}}
        )
  };
  const Outcome one = Logs({"--rank", "1"});
  EXPECT_EQ(one.code, 0);
  EXPECT_EQ(one.out, "rest\n");
  EXPECT_NE(one.err.find("rank 1: 100 bytes had left the log"), std::string::npos) << one.err;
  EXPECT_NE(Logs({"--all"}).err.find("rank 1: 100 bytes"), std::string::npos);
  EXPECT_EQ(Logs({"--rank", "1", "--tail", "5"}).err, "");
}

TEST_F(RankLogs, RanksAreNamedOnce) {
  EXPECT_EQ(Logs({"--all", "--rank", "1"}).code, 2);
  EXPECT_EQ(scheduler_.Run({"logs", "12/1", "--all"}).code, 2);
}

TEST_F(RankLogs, MoreThanCanBeReadAtATimeAreRefused) {
  const Outcome outcome = Logs({"--rank", "0-512"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("--rank 0-511"), std::string::npos) << outcome.err;
}

TEST_F(RankLogs, ComeIntoFiles) {
  const Outcome outcome = Logs({"--download", dir_.File("logs"), "-o", "jsonl"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (int rank = 0; rank < 4; ++rank) {
    EXPECT_EQ(FileText(absl::StrCat("logs/rank-", rank, ".log")), Log(rank)[0].data());
    EXPECT_FALSE(std::filesystem::exists(dir_.File(absl::StrCat("logs/rank-", rank, ".log.part"))));
  }
  EXPECT_NE(outcome.out.find("\"rank\":3,"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find(absl::StrCat("\"size_bytes\":", Log(3)[0].data().size())),
            std::string::npos);
}

TEST_F(RankLogs, OfARunningJobADownloadIsWhatIsThere) {
  EXPECT_EQ(Logs({"--download", dir_.File("ended")}).err, "");
  scheduler_.service.jobs[12].set_state(v1::JOB_STATE_RUNNING);
  const Outcome outcome = Logs({"--download", dir_.File("running"), "--rank", "2"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "note: job 12 is running: these are its logs so far\n");
  EXPECT_EQ(FileText("running/rank-2.log"), Log(2)[0].data());
  EXPECT_EQ(Logs({"--download", dir_.File("earlier"), "--attempt", "1", "--rank", "2"}).err, "");
}

TEST_F(RankLogs, ADownloadOverwritesNothing) {
  std::ofstream(dir_.File("rank-2.log")) << "mine";
  const Outcome outcome = Logs({"--download", dir_.path()});
  EXPECT_EQ(outcome.code, 5);
  EXPECT_NE(outcome.err.find("rank-2.log is there already"), std::string::npos) << outcome.err;
  EXPECT_EQ(FileText("rank-2.log"), "mine");
  EXPECT_FALSE(std::filesystem::exists(dir_.File("rank-0.log")));
  EXPECT_TRUE(scheduler_.service.log_requests.empty());
}

TEST_F(RankLogs, APartOfALogIsNoFile) {
  scheduler_.service.rank_logs[1].end = NodeAway();
  std::ofstream(dir_.File("rank-0.log.part")) << "of a download that was interrupted, and longer";
  const Outcome outcome = Logs({"--download", dir_.path(), "--rank", "0-1"});
  EXPECT_EQ(outcome.code, 8);
  EXPECT_NE(outcome.err.find("rank 1: node n2 is not connected"), std::string::npos) << outcome.err;
  EXPECT_EQ(FileText("rank-0.log"), Log(0)[0].data());
  for (const char* name : {"rank-0.log.part", "rank-1.log", "rank-1.log.part"}) {
    EXPECT_FALSE(std::filesystem::exists(dir_.File(name))) << name;
  }
}

TEST_F(RankLogs, AFolderThatCannotBeIsAnError) {
  std::ofstream(dir_.File("file")) << "";
  const Outcome outcome = Logs({"--download", dir_.File("file")});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("B1308"), std::string::npos) << outcome.err;
  EXPECT_EQ(Logs({"--download", dir_.path(), "-f"}).code, 2);
  EXPECT_EQ(Logs({"--download", dir_.path(), "--grep", "x"}).code, 2);
}

// Much of one rank, little of another: neither is held in memory for the other.
TEST_F(RankLogs, AreReadInStep) {
  scheduler_.service.rank_logs.clear();
  const std::string line = std::string(999, 'x') + "\n";
  constexpr int kPieces = 400;
  for (int rank = 0; rank < 2; ++rank) {
    int64_t offset = 0;
    for (int piece = 0; piece < kPieces; ++piece) {
      Log(rank).push_back(Piece(rank, offset,
                                {
                                    {1'000'000L * piece + rank, line}
      }));
      offset += static_cast<int64_t>(line.size());
    }
  }
  const Outcome outcome = Logs({"--rank", "0-1"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::string expected;
  for (int piece = 0; piece < kPieces; ++piece) {
    absl::StrAppend(&expected, "[r0-1 ×2] ", line);
  }
  EXPECT_TRUE(outcome.out == expected) << outcome.out.size() << " of " << expected.size();
}

// What `berth` writes where standard output is a terminal.
std::string AtATerminal(const FakeScheduler& scheduler, const std::vector<std::string>& words) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  char path[64] = "";
  EXPECT_TRUE(grantpt(master) == 0 && unlockpt(master) == 0 &&
              ptsname_r(master, path, sizeof path) == 0);
  const int terminal = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
  termios mode{};
  EXPECT_EQ(tcgetattr(terminal, &mode), 0);
  cfmakeraw(&mode);
  EXPECT_EQ(tcsetattr(terminal, TCSANOW, &mode), 0);
  const int err = open("/dev/null", O_WRONLY | O_CLOEXEC);
  const Environment environment = scheduler.environment();
  Console console(terminal, err);
  Context context(console, environment);
  EXPECT_EQ(RunClient(words, context), 0);
  std::string out(4096, 0);
  const ssize_t got = read(master, out.data(), out.size());
  out.resize(got < 0 ? 0 : static_cast<size_t>(got));
  for (const int file : {err, terminal, master}) {
    close(file);
  }
  return out;
}

// Rule: no job changes the terminal of who reads its log, also where an escape comes in two pieces.
TEST(Run, CleansTheLogAtATerminal) {
  FakeScheduler scheduler;
  v1::Job& job = scheduler.service.jobs[4812];
  job.set_state(v1::JOB_STATE_SUCCEEDED);
  job.set_started_at_us(kNoon);
  scheduler.service.log = "\x1b[31mred\x1b[2J\x1b]0;t\n";
  const std::string shown = "\x1b[31mred^[[2J^[]0;t\n";
  EXPECT_EQ(AtATerminal(scheduler, {"run", "--", "true"}), shown);
  EXPECT_EQ(AtATerminal(scheduler, {"run", "--raw", "--", "true"}), scheduler.service.log);
  EXPECT_EQ(scheduler.Run({"run", "--", "true"}).out, scheduler.service.log);
}

}  // namespace
}  // namespace berth
