#include "sim/bench/local_center.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"

#include "common/status_macros.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(20);

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& text : strings) {
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

absl::Status WriteFile(const std::string& path, absl::string_view text) {
  std::ofstream file(path);
  file << text;
  file.close();
  std::filesystem::permissions(
      path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  return file.good() ? absl::OkStatus() : absl::InternalError(absl::StrCat("cannot write ", path));
}

}  // namespace

absl::StatusOr<pid_t> StartProcess(const std::vector<std::string>& argv,
                                   absl::string_view output_path,
                                   const std::vector<std::string>& environment) {
  std::vector<std::string> whole;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    whole.emplace_back(*entry);
  }
  whole.insert(whole.end(), environment.begin(), environment.end());
  const std::string output = output_path.empty() ? "/dev/null" : std::string(output_path);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, argv[0].c_str(), &actions, nullptr, Pointers(argv).data(),
                                Pointers(whole).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return absl::ErrnoToStatus(error, absl::StrCat("cannot start ", argv[0]));
  }
  return pid;
}

absl::StatusOr<std::string> RunProcess(const std::vector<std::string>& argv,
                                       const std::vector<std::string>& environment) {
  char path[] = "/tmp/berth-bench-output-XXXXXX";
  close(mkstemp(path));
  ASSIGN_OR_RETURN(const pid_t pid, StartProcess(argv, path, environment));
  int status = 0;
  waitpid(pid, &status, 0);
  std::string output = ReadAll(path);
  unlink(path);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return absl::InternalError(absl::StrCat(argv[0], " failed: ", output));
  }
  return output;
}

absl::StatusOr<std::unique_ptr<LocalCenter>> LocalCenter::Start(absl::string_view bin,
                                                                const LocalCenterOptions& options) {
  const char* base = std::getenv("TMPDIR");
  std::string folder = absl::StrCat(!options.folder.empty() ? options.folder.c_str()
                                    : base != nullptr       ? base
                                                            : "/tmp",
                                    "/berth-bench-XXXXXX");
  if (mkdtemp(folder.data()) == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot make a temporary folder ", folder));
  }
  std::unique_ptr<LocalCenter> center(new LocalCenter(bin, folder, options));
  RETURN_IF_ERROR(center->StartScheduler());
  for (int i = 1; i <= options.agents; ++i) {
    RETURN_IF_ERROR(center->StartAgent(i));
  }
  RETURN_IF_ERROR(center->WaitForNodes());
  return center;
}

LocalCenter::~LocalCenter() {
  for (auto pid = processes_.rbegin(); pid != processes_.rend(); ++pid) {
    kill(*pid, SIGTERM);
    waitpid(*pid, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::vector<std::string> LocalCenter::Environment() const {
  return {absl::StrCat("BERTH_SERVER=", address_), absl::StrCat("BERTH_TOKEN=", token_)};
}

absl::Status LocalCenter::StartScheduler() {
  const std::string config = absl::StrCat(folder_, "/berthd.toml");
  const std::string port_file = absl::StrCat(folder_, "/port");
  RETURN_IF_ERROR(WriteFile(config, absl::StrCat("listen = \"127.0.0.1:0\"\nport_file = \"",
                                                 port_file, "\"\ndata_dir = \"", folder_,
                                                 "/berthd\"\n", options_.scheduler_tables)));
  ASSIGN_OR_RETURN(const pid_t pid,
                   StartProcess({absl::StrCat(bin_, "/berthd"), "--config", config},
                                absl::StrCat(folder_, "/berthd.log")));
  processes_.push_back(pid);
  const absl::Time deadline = absl::Now() + kStartTimeout;
  while (!std::filesystem::exists(port_file)) {
    if (absl::Now() > deadline || waitpid(pid, nullptr, WNOHANG) == pid) {
      return absl::UnavailableError(
          absl::StrCat("berthd did not start: ", ReadAll(absl::StrCat(folder_, "/berthd.log"))));
    }
    absl::SleepFor(absl::Milliseconds(5));
  }
  address_ = std::string(absl::StripSuffix(ReadAll(port_file), "\n"));
  ASSIGN_OR_RETURN(token_, RunProcess({absl::StrCat(bin_, "/berth"), "admin", "bootstrap",
                                       "--socket", absl::StrCat(folder_, "/berthd/admin.sock")}));
  token_ = std::string(absl::StripSuffix(token_, "\n"));
  return absl::OkStatus();
}

absl::Status LocalCenter::StartAgent(int number) {
  const std::string node = absl::StrCat("node-", number);
  const std::string base = absl::StrCat(folder_, "/", node);
  ASSIGN_OR_RETURN(
      const std::string token,
      RunProcess({absl::StrCat(bin_, "/berth"), "token", "create", "--node", node}, Environment()));
  RETURN_IF_ERROR(WriteFile(absl::StrCat(base, ".token"), token));
  RETURN_IF_ERROR(WriteFile(
      absl::StrCat(base, ".toml"),
      absl::StrCat("server = \"", address_, "\"\nnode = \"", node, "\"\ntoken_file = \"", base,
                   ".token\"\ndata_dir = \"", base, "\"\nlock_dir = \"", folder_,
                   "/locks\"\n[devices]\nkind = \"simulated\"\n[[simulated]]\nclass = \"sim\"\n"
                   "count = ",
                   options_.devices, "\nmemory = \"80GiB\"\n", options_.agent_tables)));
  ASSIGN_OR_RETURN(const pid_t pid, StartProcess({absl::StrCat(bin_, "/berth-agent"), "--config",
                                                  absl::StrCat(base, ".toml")},
                                                 absl::StrCat(base, ".log")));
  processes_.push_back(pid);
  return absl::OkStatus();
}

absl::Status LocalCenter::WaitForNodes() {
  const absl::Time deadline = absl::Now() + kStartTimeout;
  while (true) {
    ASSIGN_OR_RETURN(const std::string nodes,
                     RunProcess({absl::StrCat(bin_, "/berth"), "nodes", "-o", "fields=name,state",
                                 "--no-headers"},
                                Environment()));
    int ready = 0;
    for (size_t at = nodes.find("ready"); at != std::string::npos;
         at = nodes.find("ready", at + 1)) {
      ++ready;
    }
    if (ready >= options_.agents) {
      return absl::OkStatus();
    }
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat("only these nodes are ready:\n", nodes));
    }
    absl::SleepFor(absl::Milliseconds(20));
  }
}

}  // namespace berth
