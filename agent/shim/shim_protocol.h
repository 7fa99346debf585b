#ifndef BERTH_AGENT_SHIM_SHIM_PROTOCOL_H_
#define BERTH_AGENT_SHIM_SHIM_PROTOCOL_H_

// What the agent and its shims tell each other. Plain C++ without libraries: the shim is linked
// statically and starts once per task. Both sides are of one build or of one major version; all
// numbers are in the machine's own byte order, since the socket never leaves it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace berth {

// Files in a task's folder, which is the shim's working directory.
inline constexpr char kTaskFileName[] = "task";    // what to run; written before the shim starts
inline constexpr char kStartFileName[] = "start";  // the environments; written before Start
inline constexpr char kExitFileName[] = "exit";    // how it ended; written by the shim
inline constexpr char kSocketFileName[] = "shim.sock";  // where a restarted agent finds the shim
inline constexpr char kNoticeSocketName[] = "notify.sock";  // where the task tells of itself
inline constexpr char kInputSocketName[] = "stdin.sock";  // gives its standard input, task_input.h
inline constexpr char kStopFileName[] = "stop";           // appears before the stop signal
inline constexpr char kImageFolderName[] = "image";       // what a task changed in its image

// Exit codes of a command that could not be executed, as shells give them.
inline constexpr int kExitNotExecutable = 126;
inline constexpr int kExitNotFound = 127;

struct RankTask {
  std::string log_path;
  std::vector<std::string> environment;  // "K=V"; empty in the task file of a gang
};

// Where a task with private mounts finds its own folder and its job's output.
inline constexpr char kPrivateFolder[] = "/run/berth";
inline constexpr char kShownTaskFolder[] = "/run/berth/job";
inline constexpr char kShownOutputFolder[] = "/run/berth/output";
// And kNoticeSocketName, which lies in no folder of the host's then.
inline constexpr char kShownNoticeSocket[] = "/run/berth/notify.sock";

// What keeps a task apart from the rest of its node. All of it or the task does not start: what a
// node lacks is left out by the agent, which knows from ProbeFacilities.
struct Sandbox {
  int64_t namespaces = 0;      // CLONE_NEWIPC, _NEWUTS, _NEWCGROUP; pid and mount are always tried
  int64_t private_mounts = 0;  // 1: /tmp, /var/tmp, /dev, /dev/shm and /sys of its own
  int64_t shared_memory_bytes = 0;  // of /dev/shm; 0: the kernel's default
  int64_t drop_capabilities = 0;    // 1: all, for good
  std::string task_folder;          // absolute; shown as kShownTaskFolder
  std::string output_folder;        // absolute; shown as kShownOutputFolder
  // The folder that is the task's root instead of the host's, unchanged by what the task writes;
  // empty: the host's. Needs private_mounts.
  std::string image_root;
  std::vector<std::string> image_mounts;  // files and folders of the host that are seen there, too
  // Device files of the host that its /dev has beside the usual; "HOST:SHOWN": under another name.
  std::vector<std::string> devices;
  std::vector<std::string> groups;  // folders of control groups; every process of the task is there
  std::string seccomp_program;      // as of sock_fprog, without its length; empty: no filter
};

struct TaskFile {
  std::vector<std::string> argv;
  std::string working_directory;
  std::vector<RankTask> ranks;
  std::vector<std::string>
      lock_paths;  // taken before anything else, held until nothing runs any more
  // The same, but others may hold them this way too: devices of which the task has a share.
  std::vector<std::string> shared_lock_paths;
  int64_t user_id = -1;  // -1: the agent's own
  int64_t group_id = -1;
  int64_t stop_signal = 15;
  int64_t time_limit_ms = 0;      // from the start; 0: none
  int64_t grace_ms = 0;           // inside the limit
  int64_t idle_ms = 0;            // ends when nobody used it for so long; 0: never
  int64_t lease_deadline_ns = 0;  // CLOCK_BOOTTIME; 0: none
  int64_t start_at_once = 0;
  int64_t log_segment_bytes = 0;  // of a rank's log; 0: one file without a bound
  int64_t log_segments_max = 0;
  Sandbox sandbox;
  std::string agent_record;  // what an agent without a journal finds here; nothing to the shim
  int64_t open_stdin = 0;    // 1: the first rank has a standard input
};

std::string EncodeTaskFile(const TaskFile& task);
std::optional<TaskFile> DecodeTaskFile(const std::string& bytes);
// One environment per rank.
std::string EncodeStartFile(const std::vector<std::vector<std::string>>& environments);
std::optional<std::vector<std::vector<std::string>>> DecodeStartFile(const std::string& bytes);

// One packet each, over a SOCK_SEQPACKET socket.
struct AgentCommand {
  enum class Kind : uint32_t {
    kStart,
    kStop,
    kSetLease,
    kStatus,
    kUsed,      // bytes went in or out through a way into the task; tells nothing more
    kEndInput,  // the standard input is over; tells nothing more
  };
  Kind kind = Kind::kStatus;
  int32_t reason = 0;  // kStop: a berth.v1.StopReason
  int64_t value = 0;   // kStop: grace in ms; kSetLease: the deadline, CLOCK_BOOTTIME ns
  char message[256] = {};
};

struct ShimEvent {
  enum class Kind : uint32_t {
    kPrepared,
    kLockHeld,  // message: the path; the shim ends
    kFailed,    // could not prepare or start; message: why; the shim ends
    kStarted,
    kStatus,  // value: 1 if started, 2 if stopping, else 0
    kStuck,   // killed long ago, and something of it still runs; message: what. The locks stay
    kNotice,  // of a ShimNotice only
  };
  Kind kind = Kind::kPrepared;
  int32_t value = 0;
  int64_t started_at_us = 0;  // kStarted, kStatus: wall clock
  char message[256] = {};     // kStarted, kStatus: the pid of the init while it runs, or nothing
};

inline constexpr size_t kCheckpointBytesMax = 64;
inline constexpr size_t kNoticeTextBytesMax = 256;

// What the task has told of itself so far, of each part the last (notice.h): sent when it tells
// something, and after a kStatus. Larger than an event; an agent that does not know it sees the
// beginning only, an event of a kind that it does not know either. Its texts hold any bytes.
struct ShimNotice {
  ShimEvent::Kind kind = ShimEvent::Kind::kNotice;
  int64_t count = 0;  // notices so far; 0: none
  int64_t at_ns = 0;  // CLOCK_BOOTTIME, of the last one
  int64_t checkpoint_at_ns = 0;
  int32_t progress_milli = -1;  // 0 to 1000; -1: none
  char checkpoint[kCheckpointBytesMax + 1] = {};
  char text[kNoticeTextBytesMax + 1] = {};
};
static_assert(sizeof(ShimNotice) > sizeof(ShimEvent));

// How a task ended.
// A stop reason besides those of berth.v1.StopReason: the node, or a device of the task, failed.
inline constexpr int64_t kStopNodeFault = 100;

struct ExitRecord {
  int64_t started_at_us = 0;  // wall clock; 0: never started
  int64_t ended_at_us = 0;
  int64_t exit_code = 0;  // of the first rank that failed
  int64_t signal = 0;
  int64_t failed_rank = -1;   // in this task
  int64_t stop_reason = 0;    // a berth.v1.StopReason or kStopNodeFault; 0: it ended by itself
  int64_t exec_failed = 0;    // exit_code is 126 or 127
  int64_t out_of_memory = 0;  // the kernel ended a process of it at its memory limit
  std::string message;        // one line
  ShimNotice notice;          // its times: nanoseconds before the end
};

std::string EncodeExitRecord(const ExitRecord& record);
std::optional<ExitRecord> DecodeExitRecord(const std::string& text);

// Whole small files. Write makes the content durable under its final name or not at all.
std::optional<std::string> ReadFileAt(int folder, const char* name);
bool WriteFileDurably(int folder, const char* name, const std::string& content);
// For what a reader knows to be whole, as an exit record: a crash may leave a part of it. A file
// system with a journal writes that once, where a new name needs it twice.
bool WriteOnceDurably(int folder, const char* name, const std::string& content);

int64_t BootTimeNs();
int64_t WallTimeUs();

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_SHIM_PROTOCOL_H_
