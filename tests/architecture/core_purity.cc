#include "tests/architecture/core_purity.h"

#include <regex>
#include <string>

namespace berth::architecture {
namespace {

struct ForbiddenWord {
  const char* kind;
  std::regex pattern;
  bool scheduler_only = false;
};

ForbiddenWord Word(const char* kind, const std::string& pattern) {
  return {kind, std::regex(pattern), false};
}

const std::vector<ForbiddenWord>& WordsInCode() {
  // A call that is no member: `x.time()` is a field's accessor, `time(nullptr)` is the clock.
  static const std::string free_call = R"((^|[^\w.>:]|\bstd::|(^|[^\w>:])::))";
  static const auto* const kWords = new std::vector<ForbiddenWord>{
      Word("clock", R"(absl::Now\b|GetCurrentTimeNanos|std::chrono|steady_clock|system_clock)"),
      Word("clock", free_call + R"((time|clock|gettimeofday|clock_gettime|times)\s*\()"),
      Word("clock", R"(\bSystemClock\b|\bSleepFor\b)"),
      Word("clock", free_call + R"((sleep|usleep|nanosleep)\s*\()"),
      Word("thread", R"(std::(jthread|thread|mutex|shared_mutex|condition_variable|async|atomic))"),
      Word("thread", R"(absl::(Mutex|CondVar|Notification)|\bpthread_|\bthread_local\b)"),
      Word("randomness", R"(random_device|mt19937|absl::(BitGen|InsecureBitGen|Uniform)\b)"),
      Word("randomness", free_call + R"((rand|random|srand|srandom|drand48|getrandom)\s*\()"),
      Word("logging", R"(spdlog::|std::(cout|cerr|clog)\b|\bLog(Debug|Info|Warn|Warning|Error)\b)"),
      Word("I/O", free_call + R"((printf|fprintf|puts|fopen|getenv|open|read|write)\s*\()"),
      Word("gRPC", R"(\bgrpc(_impl)?::|\bgrpc_)"),
      Word("SQLite", R"(\bsqlite3\w*)"),
      {"protobuf", std::regex(R"(google::protobuf|\bSerializeAsString\b|\bParseFromString\b)"),
                                     true},
  };
  return *kWords;
}

const std::vector<ForbiddenWord>& WordsInIncludes() {
  static const auto* const kWords = new std::vector<ForbiddenWord>{
      Word("clock", R"(^(chrono|ctime|time\.h|sys/time\.h|absl/time/clock\.h|common/clock\.h)$)"),
      Word("thread", R"(^(thread|mutex|shared_mutex|condition_variable|future|atomic|semaphore|)"
                     R"(pthread\.h|latch|barrier|absl/synchronization/.*)$)"),
      Word("randomness", R"(^(random|sys/random\.h|absl/random/.*|common/backoff\.h)$)"),
      Word("logging", R"(^(iostream|spdlog/.*|common/log\.h)$)"),
      Word("I/O", R"(^(fstream|filesystem|cstdio|stdio\.h|unistd\.h|fcntl\.h|sys/.*)$)"),
      Word("gRPC", R"(^(grpc|grpcpp)/|\.grpc\.pb\.h$|^common/grpc_status\.h$)"),
      Word("SQLite", R"(^sqlite3)"),
      {"protobuf", std::regex(R"(\.pb\.h$|^google/protobuf/)"), true},
  };
  return *kWords;
}

void CheckFile(const SourceFile& file, bool scheduler, std::vector<Violation>& violations) {
  for (const Include& include : FindIncludes(file.text)) {
    for (const ForbiddenWord& word : WordsInIncludes()) {
      if (word.scheduler_only && !scheduler) continue;
      if (!std::regex_search(include.target, word.pattern)) continue;
      violations.push_back(
          {file.path, include.line, std::string(word.kind) + " in a core: " + include.target});
    }
  }
  const std::string code = BlankPreprocessor(BlankCommentsAndLiterals(file.text));
  for (const ForbiddenWord& word : WordsInCode()) {
    if (word.scheduler_only && !scheduler) continue;
    for (std::sregex_iterator at(code.begin(), code.end(), word.pattern), end; at != end; ++at) {
      violations.push_back({file.path, LineOf(code, static_cast<size_t>(at->position())),
                            std::string(word.kind) + " in a core: " + at->str()});
    }
  }
}

}  // namespace

std::vector<Violation> CheckCorePurity(const std::vector<SourceFile>& files) {
  std::vector<Violation> violations;
  for (const SourceFile& file : files) {
    const bool scheduler = StartsWith(file.path, "scheduler/core/");
    if (scheduler || StartsWith(file.path, "agent/core/")) CheckFile(file, scheduler, violations);
  }
  return violations;
}

}  // namespace berth::architecture
