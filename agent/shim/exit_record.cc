#include "agent/shim/exit_record.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace berth::shim {
namespace {

constexpr char kTemporaryName[] = "exit.new";
constexpr size_t kRecordBytesMax = 4096;
// What surrounds the message in a record stays well below the difference.
constexpr size_t kMessageBytesMax = 3072;

int SyncWorkingDirectory() {
  const int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    return errno;
  }
  const int error = fsync(folder) == 0 ? 0 : errno;
  close(folder);
  return error;
}

}  // namespace

ExitRecordFile::~ExitRecordFile() {
  if (file_ >= 0) {
    close(file_);
  }
}

int ExitRecordFile::Reserve() {
  file_ = open(kTemporaryName, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file_ < 0) {
    return errno;
  }
  const int error = posix_fallocate(file_, 0, kRecordBytesMax);
  return error == EOPNOTSUPP || error == EINVAL ? 0 : error;
}

int ExitRecordFile::Commit(const ExitRecord& record) {
  ExitRecord bounded = record;
  bounded.message.resize(std::min(bounded.message.size(), kMessageBytesMax));
  const std::string payload = Encode(bounded);
  WireWriter writer;
  writer.Number(Checksum(payload));
  writer.Text(payload);
  const std::string bytes = writer.Take();
  if (pwrite(file_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return errno == 0 ? EIO : errno;
  }
  if (fdatasync(file_) != 0 || rename(kTemporaryName, kExitRecordName) != 0) {
    return errno;
  }
  return SyncWorkingDirectory();
}

ExitRecordFound ReadExitRecord(int folder_fd, ExitRecord& record) {
  const int file = openat(folder_fd, kExitRecordName, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) {
    return ExitRecordFound::kNone;
  }
  std::array<char, kRecordBytesMax> bytes{};
  const ssize_t got = read(file, bytes.data(), bytes.size());
  close(file);
  WireReader reader(std::string_view(bytes.data(), got > 0 ? static_cast<size_t>(got) : 0));
  const uint64_t checksum = reader.Number();
  const std::string payload = reader.Text();
  const auto decoded = DecodeExitRecord(payload);
  if (!reader.ok() || Checksum(payload) != checksum || !decoded.has_value()) {
    return ExitRecordFound::kDamaged;
  }
  record = *decoded;
  return ExitRecordFound::kWhole;
}

}  // namespace berth::shim
