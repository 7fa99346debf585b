// From inside a job: a line or three over the socket in its folder, without a token.

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/text.h"
#include "common/error_detail.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr time_t kAnswerSeconds = 10;
constexpr size_t kCheckpointBytesMax = 64;  // as the supervisor takes it

constexpr Option kNotifyOptions[] = {
    Value("checkpoint", "NAME",
          "what was just saved, e.g. step=12000: a stop loses what came after"),
    Value("progress", "PART", "how far the job is, from 0 to 1"),
};

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) {
      close(number_);
    }
  }
  int get() const { return number_; }

 private:
  const int number_;
};

absl::Status NotInside(absl::string_view message, absl::string_view why) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B1309",
                    .message = message,
                    .why = why,
                    .fix = "run it from a process of a running job: it speaks of that job"});
}

// The lines of the user guide, "Telling how far a job is".
absl::StatusOr<std::string> MakeLines(const Arguments& arguments) {
  std::string lines;
  if (const OptionValue* value = arguments.Find("checkpoint"); value != nullptr) {
    if (value->text.empty() || value->text.size() > kCheckpointBytesMax ||
        absl::StrContains(value->text, '\n')) {
      return ValueError(*value, "a checkpoint has a name of 1 to 64 bytes on one line",
                        "--checkpoint step=12000");
    }
    absl::StrAppend(&lines, "checkpoint=", value->text, "\n");
  }
  if (const OptionValue* value = arguments.Find("progress"); value != nullptr) {
    double part = 0;
    if (!absl::SimpleAtod(value->text, &part) || !(part >= 0 && part <= 1)) {
      return ValueError(*value, "progress is a number from 0 to 1", "--progress 0.4");
    }
    char text[16];
    std::snprintf(text, sizeof(text), "%.3f", part);
    absl::StrAppend(&lines, "progress=", text, "\n");
  }
  if (!arguments.words.empty()) {
    std::string text = arguments.words[0].text;
    std::replace(text.begin(), text.end(), '\n', ' ');
    // The supervisor keeps 256 bytes of it.
    absl::StrAppend(&lines, "text=", text.substr(0, 1024), "\n");
  }
  if (lines.empty()) {
    return ErrorAt({}, "say what to tell", "berth notify --checkpoint step=12000 \"epoch 3 done\"");
  }
  return lines + "\n";
}

// A socket's path has about a hundred bytes; by way of its folder it is short.
bool Connect(int connection, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t slash = path.rfind('/');
  const Descriptor folder(open(slash == std::string::npos ? "." : path.substr(0, slash + 1).c_str(),
                               O_PATH | O_DIRECTORY | O_CLOEXEC));
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (folder.get() < 0 || name.size() > 60) {
    return false;
  }
  std::snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", folder.get(),
                name.c_str());
  return connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

// The supervisor's answer; empty: errno tells why there is none.
std::string Tell(const std::string& path, const std::string& lines) {
  const Descriptor connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{kAnswerSeconds, 0};
  setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (!Connect(connection.get(), path) ||
      send(connection.get(), lines.data(), lines.size(), MSG_NOSIGNAL) < 0) {
    return "";
  }
  std::string answer;
  char chunk[256];
  ssize_t size = 0;
  errno = 0;
  while ((size = recv(connection.get(), chunk, sizeof(chunk), 0)) > 0) {
    answer.append(chunk, static_cast<size_t>(size));
  }
  return answer;
}

absl::StatusOr<int> RunNotify(Context& context) {
  RETURN_IF_ERROR(CheckWordCount(context.arguments, 0, 1, "one text, in quotes"));
  ASSIGN_OR_RETURN(const std::string lines, MakeLines(context.arguments));
  const std::string path = Variable(context.environment, "BERTH_NOTIFY_SOCKET");
  if (path.empty()) {
    return NotInside("this is not inside a job", "BERTH_NOTIFY_SOCKET is not set");
  }
  const std::string answer = Tell(path, lines);
  if (answer == "ok\n") {
    return kExitDone;
  }
  if (answer.empty()) {
    const bool is_late = errno == EAGAIN || errno == EINPROGRESS;
    return NotInside("the job's supervisor does not take the notice",
                     absl::StrCat(CleanText(path), ": ",
                                  is_late      ? "no answer; the job tells too much at a time"
                                  : errno == 0 ? "it closed the connection"
                                               : std::strerror(errno)));
  }
  return NotInside("the job's supervisor does not take the notice",
                   CleanText(absl::StripSuffix(answer, "\n")));
}

}  // namespace

const Command kNotifyCommand = {
    .name = "notify",
    .plural = nullptr,
    .group = CommandGroup::kInside,
    .summary = "inside a job: tell how far it is, and what a stop would not lose",
    .usage = "[OPTIONS] [TEXT]",
    .examples =
        "berth notify --checkpoint step=12000\n"
        "berth notify --progress 0.4 \"epoch 3, loss 0.21\"\n"
        "berth notify --checkpoint epoch-3.pt --progress 0.4 \"epoch 3\"\n",
    .options = kNotifyOptions,
    .takes_job_options = false,
    .run = RunNotify,
};

}  // namespace berth
