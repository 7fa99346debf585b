#include "scheduler/upload_records.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "common/descriptor.h"
#include "common/error_detail.h"
#include "common/sha256_sum.h"
#include "common/status_macros.h"
#include "common/workdir_manifest.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr size_t kLineBytesMax = 256;
constexpr size_t kReadPieceBytes = 256 << 10;

absl::Status NoBackup(const std::string& path, absl::string_view why) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.code = "B8213",
                    .message = absl::StrCat("\"", path, "\" holds no uploads of a backup"),
                    .why = why,
                    .fix = "name another backup; without its uploads, jobs that wait with an "
                           "uploaded folder are to be submitted again"});
}

class UploadReader {
 public:
  UploadReader(const std::string& path, const UploadRecordTaker& taker)
      : path_(path), taker_(taker), file_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}

  absl::StatusOr<UploadBackupFacts> Read() {
    struct stat facts {};
    if (!file_.is_open() || fstat(file_.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
      return NoBackup(path_, file_.is_open() ? "it is no regular file"
                                             : std::generic_category().message(errno));
    }
    facts_.size_bytes = facts.st_size;
    RETURN_IF_ERROR(ReadFirstLine());
    RETURN_IF_ERROR(ReadToEnd());
    return facts_;
  }

 private:
  absl::Status ReadFirstLine() {
    ASSIGN_OR_RETURN(const std::vector<std::string> words, ReadLine());
    int64_t taken_at_us = 0;
    if (words.size() != 3 || words[0] != kUploadsFirstWord || words[1] != "1" ||
        !absl::SimpleAtoi(words[2], &taken_at_us)) {
      return NoBackup(path_, "it does not begin as one");
    }
    facts_.taken_at = absl::FromUnixMicros(taken_at_us);
    return absl::OkStatus();
  }

  absl::Status ReadToEnd() {
    while (true) {
      ASSIGN_OR_RETURN(const std::vector<std::string> words, ReadLine());
      if (words[0] == kUploadsEndWord) {
        return CheckEnd(words);
      }
      RETURN_IF_ERROR(ReadRecord(words));
    }
  }

  // More of the file into the buffer. False: there is no more.
  bool Fill() {
    std::string piece(kReadPieceBytes, '\0');
    const ssize_t size = read(file_.get(), piece.data(), piece.size());
    buffer_.erase(0, at_);
    at_ = 0;
    buffer_.append(piece, 0, static_cast<size_t>(std::max<ssize_t>(size, 0)));
    return size > 0;
  }

  absl::string_view ahead() const { return absl::string_view(buffer_).substr(at_); }

  absl::StatusOr<std::vector<std::string>> ReadLine() {
    size_t end = ahead().find('\n');
    while (end == absl::string_view::npos && ahead().size() < kLineBytesMax && Fill()) {
      end = ahead().find('\n');
    }
    if (end >= kLineBytesMax) {
      return NoBackup(path_, "it is cut short or damaged");
    }
    const std::string line(ahead().substr(0, end));
    if (line.compare(0, sizeof(kUploadsEndWord) - 1, kUploadsEndWord) != 0) {
      sum_.Add(ahead().substr(0, end + 1));
    }
    at_ += end + 1;
    return std::vector<std::string>(absl::StrSplit(line, ' '));
  }

  absl::Status ReadRecord(const std::vector<std::string>& words) {
    UploadRecord record;
    uint64_t tenant = 0;
    record.is_manifest = words[0] == kUploadsManifestWord;
    const bool good =
        words.size() == 4 && (record.is_manifest || words[0] == kUploadsContentWord) &&
        absl::SimpleAtoi(words[1], &tenant) && tenant > 0 && words[2].size() == 2 * kSha256Bytes &&
        absl::SimpleAtoi(words[3], &record.size) && record.size >= 0 &&
        record.size <= (record.is_manifest ? kManifestBytesMax : kWorkdirLimitsMost.size_max);
    if (!good) {
      return NoBackup(path_, "it is cut short or damaged");
    }
    record.name = {TenantId(tenant), absl::HexStringToBytes(words[2])};
    RETURN_IF_ERROR(taker_.begin(record));
    Sha256Sum own;
    for (int64_t left = record.size; left > 0;) {
      if (ahead().empty() && !Fill()) {
        return NoBackup(path_, "it is cut short");
      }
      const absl::string_view part = ahead().substr(0, static_cast<size_t>(left));
      sum_.Add(part);
      own.Add(part);
      RETURN_IF_ERROR(taker_.add(part));
      left -= static_cast<int64_t>(part.size());
      at_ += part.size();
    }
    if (own.Finish() != record.name.sha256) {
      return NoBackup(path_, "a part of it is damaged");
    }
    facts_.uploads += record.is_manifest ? 1 : 0;
    return taker_.end();
  }

  absl::Status CheckEnd(const std::vector<std::string>& words) {
    const bool is_end = words.size() == 3 && words[1] == absl::StrCat(facts_.uploads) &&
                        words[2] == absl::BytesToHexString(sum_.Finish()) && ahead().empty() &&
                        !Fill();
    return is_end ? absl::OkStatus() : NoBackup(path_, "it is damaged");
  }

  const std::string& path_;
  const UploadRecordTaker& taker_;
  const Descriptor file_;
  std::string buffer_;
  size_t at_ = 0;  // in the buffer
  Sha256Sum sum_;  // of all before the last line
  UploadBackupFacts facts_;
};

}  // namespace

absl::StatusOr<UploadBackupFacts> ReadUploadRecords(const std::string& path,
                                                    const UploadRecordTaker& taker) {
  return UploadReader(path, taker).Read();
}

}  // namespace berth
