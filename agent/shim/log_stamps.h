#ifndef BERTH_AGENT_SHIM_LOG_STAMPS_H_
#define BERTH_AGENT_SHIM_LOG_STAMPS_H_

// When the parts of a rank's log came: beside each segment of the log a file of fixed records, each
// a place in the log's stream and the time of the bytes from there on. The log itself stays what
// the job wrote. Plain C++ without libraries.

#include <cstdint>
#include <string>

namespace berth {

// As it is in the file, in the machine's byte order.
struct StampRecord {
  int64_t offset = 0;   // in the log's stream
  int64_t time_us = 0;  // since the Unix epoch, by the node's clock; never falls within a log
};
static_assert(sizeof(StampRecord) == 16);

// The file beside the segment that begins at byte `begin` of the stream.
std::string LogStampPath(const std::string& log_path, int64_t begin);

// Writes the stamps of one log. Owned by its RankLog, used on that thread. A disk that takes none
// costs stamps, never a byte of the log.
class StampWriter {
 public:
  explicit StampWriter(std::string log_path) : log_path_(std::move(log_path)) {}
  StampWriter(const StampWriter&) = delete;
  StampWriter& operator=(const StampWriter&) = delete;
  ~StampWriter();

  // The next stamps are those of the segment that begins at `begin`. Makes no file yet.
  void BeginSegment(int64_t begin);
  // The bytes from `offset` on come now. Called before they are in the log, so that no reader sees
  // them without. Bytes that follow the last stamp closely keep its time: with a stamp for at least
  // kBytesApart or kTimeApartUs the file stays small beside the log.
  void Stamp(int64_t offset, int64_t now_us);
  // Bytes of the present segment's file.
  int64_t size() const { return size_; }

  static constexpr int64_t kBytesApart = 64;
  static constexpr int64_t kTimeApartUs = 10'000;

 private:
  const std::string log_path_;
  int64_t begin_ = 0;
  int file_ = -1;
  bool tried_ = false;  // to make the file of this segment
  int64_t size_ = 0;
  StampRecord last_{.offset = -1};
};

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_LOG_STAMPS_H_
