#include "agent/shim/shim_protocol.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr uint32_t kTaskMagic = 0x42544b36;  // "BTK6"
// Written before there were a standard input, an idle limit, an agent's record, and images: such a
// task may still run when its agent is a newer one.
constexpr uint32_t kTaskMagicWithoutInput = 0x42544b35;   // "BTK5"
constexpr uint32_t kTaskMagicWithoutIdle = 0x42544b34;    // "BTK4"
constexpr uint32_t kTaskMagicWithoutRecord = 0x42544b33;  // "BTK3"
constexpr uint32_t kTaskMagicWithoutImage = 0x42544b32;   // "BTK2"
constexpr uint32_t kStartMagic = 0x42535431;              // "BST1"
constexpr uint32_t kCountMax = 1 << 20;

class Writer {
 public:
  void Number(int64_t value) { Raw(&value, sizeof(value)); }
  void Magic(uint32_t value) { Raw(&value, sizeof(value)); }
  void Text(const std::string& text) {
    const auto size = static_cast<uint32_t>(text.size());
    Raw(&size, sizeof(size));
    bytes_ += text;
  }
  void Texts(const std::vector<std::string>& texts) {
    const auto count = static_cast<uint32_t>(texts.size());
    Raw(&count, sizeof(count));
    for (const std::string& text : texts) {
      Text(text);
    }
  }
  void Count(size_t count) { Magic(static_cast<uint32_t>(count)); }
  std::string Take() { return std::move(bytes_); }

 private:
  void Raw(const void* data, size_t size) { bytes_.append(static_cast<const char*>(data), size); }
  std::string bytes_;
};

// Every read is bounds-checked; after the first failure all values are empty and ok() is false.
class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}
  int64_t Number() {
    int64_t value = 0;
    Raw(&value, sizeof(value));
    return value;
  }
  uint32_t Count() {
    uint32_t value = 0;
    Raw(&value, sizeof(value));
    return value;
  }
  std::string Text() {
    const uint32_t size = Count();
    if (!ok_ || size > bytes_.size() - at_) {
      ok_ = false;
      return {};
    }
    std::string text = bytes_.substr(at_, size);
    at_ += size;
    return text;
  }
  std::vector<std::string> Texts() {
    const uint32_t count = Count();
    std::vector<std::string> texts;
    for (uint32_t i = 0; ok_ && i < count && count <= kCountMax; ++i) {
      texts.push_back(Text());
    }
    return texts;
  }
  bool ok() const { return ok_; }
  bool AtEnd() const { return ok_ && at_ == bytes_.size(); }

 private:
  void Raw(void* data, size_t size) {
    if (!ok_ || size > bytes_.size() - at_) {
      ok_ = false;
      return;
    }
    std::memcpy(data, bytes_.data() + at_, size);
    at_ += size;
  }
  const std::string& bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

bool WriteAll(int descriptor, const std::string& content) {
  size_t written = 0;
  while (written < content.size()) {
    const ssize_t size = write(descriptor, content.data() + written, content.size() - written);
    if (size <= 0) {
      return false;
    }
    written += static_cast<size_t>(size);
  }
  return true;
}

void Write(const Sandbox& sandbox, Writer& writer) {
  for (const int64_t number : {sandbox.namespaces, sandbox.private_mounts,
                               sandbox.shared_memory_bytes, sandbox.drop_capabilities}) {
    writer.Number(number);
  }
  writer.Text(sandbox.task_folder);
  writer.Text(sandbox.output_folder);
  writer.Texts(sandbox.devices);
  writer.Texts(sandbox.groups);
  writer.Text(sandbox.seccomp_program);
}

void Read(Reader& reader, Sandbox& sandbox) {
  for (int64_t* number : {&sandbox.namespaces, &sandbox.private_mounts,
                          &sandbox.shared_memory_bytes, &sandbox.drop_capabilities}) {
    *number = reader.Number();
  }
  sandbox.task_folder = reader.Text();
  sandbox.output_folder = reader.Text();
  sandbox.devices = reader.Texts();
  sandbox.groups = reader.Texts();
  sandbox.seccomp_program = reader.Text();
}

// A line end in it would be taken for another part of the record.
std::string OneLine(std::string text) {
  for (char& c : text) {
    c = c == '\n' ? ' ' : c;
  }
  return text;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// ext4 forces the name of a new file to the disk with the file, with a journal and without: to
// force its folder after it has the disk empty its cache once more, for nothing. Only ext4 has
// extents.
bool ForcesNamesToo(int file) {
  int flags = 0;
  return ioctl(file, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_EXTENT_FL) != 0;
}

}  // namespace

std::string EncodeTaskFile(const TaskFile& task) {
  Writer writer;
  writer.Magic(kTaskMagic);
  writer.Texts(task.argv);
  writer.Text(task.working_directory);
  writer.Count(task.ranks.size());
  for (const RankTask& rank : task.ranks) {
    writer.Text(rank.log_path);
    writer.Texts(rank.environment);
  }
  writer.Texts(task.lock_paths);
  writer.Texts(task.shared_lock_paths);
  for (const int64_t number : {task.user_id, task.group_id, task.stop_signal, task.time_limit_ms,
                               task.grace_ms, task.lease_deadline_ns, task.start_at_once,
                               task.log_segment_bytes, task.log_segments_max}) {
    writer.Number(number);
  }
  Write(task.sandbox, writer);
  writer.Text(task.sandbox.image_root);
  writer.Texts(task.sandbox.image_mounts);
  writer.Text(task.agent_record);
  writer.Number(task.idle_ms);
  writer.Number(task.open_stdin);
  return writer.Take();
}

std::optional<TaskFile> DecodeTaskFile(const std::string& bytes) {
  Reader reader(bytes);
  const uint32_t magic = reader.Count();
  if (magic < kTaskMagicWithoutImage || magic > kTaskMagic) {
    return std::nullopt;
  }
  TaskFile task;
  task.argv = reader.Texts();
  task.working_directory = reader.Text();
  const uint32_t ranks = reader.Count();
  for (uint32_t i = 0; reader.ok() && i < ranks && ranks <= kCountMax; ++i) {
    RankTask rank;
    rank.log_path = reader.Text();
    rank.environment = reader.Texts();
    task.ranks.push_back(std::move(rank));
  }
  task.lock_paths = reader.Texts();
  task.shared_lock_paths = reader.Texts();
  for (int64_t* number : {&task.user_id, &task.group_id, &task.stop_signal, &task.time_limit_ms,
                          &task.grace_ms, &task.lease_deadline_ns, &task.start_at_once,
                          &task.log_segment_bytes, &task.log_segments_max}) {
    *number = reader.Number();
  }
  Read(reader, task.sandbox);
  if (magic >= kTaskMagicWithoutRecord) {
    task.sandbox.image_root = reader.Text();
    task.sandbox.image_mounts = reader.Texts();
  }
  if (magic >= kTaskMagicWithoutIdle) {
    task.agent_record = reader.Text();
  }
  if (magic >= kTaskMagicWithoutInput) {
    task.idle_ms = reader.Number();
  }
  if (magic >= kTaskMagic) {
    task.open_stdin = reader.Number();
  }
  if (!reader.AtEnd() || task.argv.empty() || task.ranks.empty()) {
    return std::nullopt;
  }
  return task;
}

std::string EncodeStartFile(const std::vector<std::vector<std::string>>& environments) {
  Writer writer;
  writer.Magic(kStartMagic);
  writer.Count(environments.size());
  for (const std::vector<std::string>& environment : environments) {
    writer.Texts(environment);
  }
  return writer.Take();
}

std::optional<std::vector<std::vector<std::string>>> DecodeStartFile(const std::string& bytes) {
  Reader reader(bytes);
  if (reader.Count() != kStartMagic) {
    return std::nullopt;
  }
  std::vector<std::vector<std::string>> environments;
  const uint32_t count = reader.Count();
  for (uint32_t i = 0; reader.ok() && i < count && count <= kCountMax; ++i) {
    environments.push_back(reader.Texts());
  }
  if (!reader.AtEnd()) {
    return std::nullopt;
  }
  return environments;
}

std::string EncodeExitRecord(const ExitRecord& record) {
  char text[256];
  std::snprintf(text, sizeof(text),
                "berth-exit 2 %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
                " %" PRId64 " %" PRId64 "\n",
                record.started_at_us, record.ended_at_us, record.exit_code, record.signal,
                record.failed_rank, record.stop_reason, record.exec_failed, record.out_of_memory);
  std::string encoded = text + OneLine(record.message) + "\n";
  const ShimNotice& notice = record.notice;
  if (notice.count > 0) {
    std::snprintf(text, sizeof(text), "notice %" PRId64 " %" PRId64 " %" PRId64 " %" PRId32 "\n",
                  notice.count, notice.at_ns, notice.checkpoint_at_ns, notice.progress_milli);
    encoded += text + OneLine(notice.checkpoint) + "\n" + OneLine(notice.text) + "\n";
  }
  return encoded;
}

std::optional<ExitRecord> DecodeExitRecord(const std::string& text) {
  ExitRecord record;
  const std::vector<std::string> lines = Lines(text);
  // Without its last line's end it was not written whole. One without a notice has two lines.
  if ((lines.size() != 2 && lines.size() != 5) || text.back() != '\n') {
    return std::nullopt;
  }
  const int fields = std::sscanf(lines[0].c_str(),
                                 "berth-exit 2 %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64
                                 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64,
                                 &record.started_at_us, &record.ended_at_us, &record.exit_code,
                                 &record.signal, &record.failed_rank, &record.stop_reason,
                                 &record.exec_failed, &record.out_of_memory);
  if (fields != 8) {
    return std::nullopt;
  }
  record.message = lines[1];
  if (lines.size() == 5) {
    ShimNotice& notice = record.notice;
    const int parts =
        std::sscanf(lines[2].c_str(), "notice %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd32,
                    &notice.count, &notice.at_ns, &notice.checkpoint_at_ns, &notice.progress_milli);
    if (parts != 4) {
      return std::nullopt;
    }
    lines[3].copy(notice.checkpoint, kCheckpointBytesMax);
    lines[4].copy(notice.text, kNoticeTextBytesMax);
  }
  return record;
}

std::optional<std::string> ReadFileAt(int folder, const char* name) {
  const int file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) {
    return std::nullopt;
  }
  std::string content;
  char buffer[8192];
  ssize_t size = 0;
  while ((size = read(file, buffer, sizeof(buffer))) > 0) {
    content.append(buffer, static_cast<size_t>(size));
  }
  close(file);
  return size < 0 ? std::nullopt : std::optional<std::string>(std::move(content));
}

bool WriteFileDurably(int folder, const char* name, const std::string& content) {
  const std::string temporary = std::string(name) + ".new";
  const int file = openat(folder, temporary.c_str(),
                          O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) {
    return false;
  }
  const bool written = WriteAll(file, content) && fsync(file) == 0;
  close(file);
  return written && renameat(folder, temporary.c_str(), folder, name) == 0 && fsync(folder) == 0;
}

bool WriteOnceDurably(int folder, const char* name, const std::string& content) {
  const int file =
      openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) {
    return false;
  }
  const bool written = WriteAll(file, content) && fsync(file) == 0;
  const bool has_name = written && ForcesNamesToo(file);
  close(file);
  return written && (has_name || fsync(folder) == 0);
}

int64_t BootTimeNs() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int64_t WallTimeUs() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

}  // namespace berth
