#include "agent/journal.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

#include "common/error_detail.h"
#include "common/status_macros.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth::agent {
namespace {

constexpr absl::string_view kMagic = "BERTHJ1\n";
constexpr size_t kHeaderBytes = 8;  // length, checksum
constexpr size_t kRecordBytesMax = size_t{64} << 20;

std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320U : 0U);
    }
    table[i] = value;
  }
  return table;
}

uint32_t Crc32(absl::string_view bytes) {
  static const std::array<uint32_t, 256> kTable = MakeCrcTable();
  uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc = kTable[(crc ^ static_cast<uint8_t>(byte)) & 0xFF] ^ (crc >> 8);
  }
  return ~crc;
}

void PutNumber(uint32_t value, std::string& bytes) {
  for (int shift = 0; shift < 32; shift += 8) {
    bytes.push_back(static_cast<char>(value >> shift));
  }
}

uint32_t GetNumber(absl::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) {
    value = value << 8 | static_cast<uint8_t>(bytes[i]);
  }
  return value;
}

std::string Encode(const std::vector<JournalRecord>& records) {
  std::string bytes;
  for (const JournalRecord& record : records) {
    const std::string payload = record.SerializeAsString();
    PutNumber(static_cast<uint32_t>(payload.size()), bytes);
    PutNumber(Crc32(payload), bytes);
    bytes += payload;
  }
  return bytes;
}

absl::Status DiskError(absl::string_view what, const std::string& path, int error) {
  return MakeError(
      absl::StatusCode::kUnavailable,
      {.code = "B5401",
       .message = absl::StrCat("cannot ", what, " the journal ", path, ": ", std::strerror(error)),
       .why = "nothing may be started that is not written down first",
       .fix = "check the disk and the rights of data_dir"});
}

absl::Status Damaged(const std::string& path, size_t offset) {
  return MakeError(
      absl::StatusCode::kDataLoss,
      {.code = "B5402",
       .message = absl::StrCat("the journal ", path, " is damaged at byte ", offset),
       .why = "it says which tasks run here; going on without it could start one of them twice",
       .fix = "stop every berth-shim of this node, then move the file away and start the agent"});
}

absl::Status WriteAll(int file, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t put = write(file, bytes.data(), bytes.size());
    if (put < 0 && errno != EINTR) {
      return DiskError("write", path, errno);
    }
    bytes.remove_prefix(put > 0 ? static_cast<size_t>(put) : 0);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAll(int file, const std::string& path) {
  std::string text;
  std::array<char, 65536> chunk;
  ssize_t got = 0;
  while ((got = read(file, chunk.data(), chunk.size())) != 0) {
    if (got < 0 && errno != EINTR) {
      return DiskError("read", path, errno);
    }
    text.append(chunk.data(), got > 0 ? static_cast<size_t>(got) : 0);
  }
  return text;
}

bool IsAllZero(absl::string_view bytes) {
  return bytes.find_first_not_of('\0') == absl::string_view::npos;
}

// Whether what starts at `offset` is the torn end of the file: it reaches up to or beyond the end,
// or the file system has filled it with zeros. A bad record with others behind it is damage.
bool IsTornTail(absl::string_view text, size_t offset) {
  const absl::string_view rest = text.substr(offset);
  if (rest.size() < kHeaderBytes || IsAllZero(rest)) {
    return true;
  }
  const size_t length = GetNumber(rest);
  return length <= kRecordBytesMax && kHeaderBytes + length >= rest.size();
}

// Hands out every whole record. Returns: where the last one ends.
absl::StatusOr<size_t> ReadRecords(absl::string_view text, const std::string& path,
                                   const std::function<void(const JournalRecord&)>& read) {
  if (text.substr(0, kMagic.size()) != kMagic.substr(0, text.size())) {
    return Damaged(path, 0);
  }
  if (text.size() < kMagic.size()) {
    return size_t{0};
  }
  size_t at = kMagic.size();
  while (at < text.size()) {
    const absl::string_view rest = text.substr(at);
    const size_t length = rest.size() < kHeaderBytes ? 0 : GetNumber(rest);
    JournalRecord record;
    const bool whole = rest.size() >= kHeaderBytes && length > 0 && length <= kRecordBytesMax &&
                       rest.size() - kHeaderBytes >= length;
    const absl::string_view payload = whole ? rest.substr(kHeaderBytes, length) : rest;
    if (!whole || Crc32(payload) != GetNumber(rest.substr(4)) ||
        !record.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
      if (IsTornTail(text, at)) {
        return at;
      }
      return Damaged(path, at);
    }
    read(record);
    at += kHeaderBytes + length;
  }
  return at;
}

absl::Status SyncFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int file = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) {
    return DiskError("sync", path, errno);
  }
  const int error = fsync(file) == 0 ? 0 : errno;
  close(file);
  return error == 0 ? absl::OkStatus() : DiskError("sync", path, error);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(
    const std::string& path, const std::function<void(const JournalRecord&)>& read) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) {
    return DiskError("open", path, errno);
  }
  std::unique_ptr<Journal> journal(new Journal(path, file, 0));
  ASSIGN_OR_RETURN(const std::string text, ReadAll(file, path));
  ASSIGN_OR_RETURN(const size_t end, ReadRecords(text, path, read));
  if (ftruncate(file, static_cast<off_t>(end)) != 0 ||
      lseek(file, static_cast<off_t>(end), SEEK_SET) < 0) {
    return DiskError("cut", path, errno);
  }
  if (end == 0) {
    RETURN_IF_ERROR(journal->Rewrite({}));
  } else {
    journal->bytes_ = static_cast<int64_t>(end);
    journal->fresh_bytes_ = journal->bytes_;
  }
  return journal;
}

Journal::~Journal() {
  close(file_);
}

absl::Status Journal::Append(const std::vector<JournalRecord>& records, bool sync) {
  const std::string bytes = Encode(records);
  RETURN_IF_ERROR(WriteAll(file_, bytes, path_));
  bytes_ += static_cast<int64_t>(bytes.size());
  if (sync && fdatasync(file_) != 0) {
    return DiskError("sync", path_, errno);
  }
  return absl::OkStatus();
}

absl::Status Journal::Rewrite(const std::vector<JournalRecord>& records) {
  const std::string temporary = absl::StrCat(path_, ".new");
  const int file =
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) {
    return DiskError("rewrite", path_, errno);
  }
  const std::string bytes = absl::StrCat(kMagic, Encode(records));
  absl::Status status = WriteAll(file, bytes, temporary);
  if (status.ok() && (fsync(file) != 0 || rename(temporary.c_str(), path_.c_str()) != 0)) {
    status = DiskError("rewrite", path_, errno);
  }
  if (!status.ok()) {
    close(file);
    return status;
  }
  close(file_);
  file_ = file;
  bytes_ = static_cast<int64_t>(bytes.size());
  fresh_bytes_ = bytes_;
  return SyncFolderOf(path_);
}

bool Journal::WantsRewrite() const {
  return bytes_ > kRewriteBytesMin && bytes_ > 4 * fresh_bytes_;
}

}  // namespace berth::agent
