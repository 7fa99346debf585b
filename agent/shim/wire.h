#ifndef BERTH_AGENT_SHIM_WIRE_H_
#define BERTH_AGENT_SHIM_WIRE_H_

// Counted values in one byte string: how agent and shim talk and how the exit record is kept. Fixed
// little-endian widths and lengths in front, so that reading needs no parser. No third-party code:
// the shim stays small.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::shim {

class WireWriter {
 public:
  void Number(uint64_t value);
  void Text(std::string_view text);
  void Texts(const std::vector<std::string>& texts);
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads what a WireWriter wrote. After the first value that is not there all others are empty and
// ok() is false.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : bytes_(bytes) {}
  uint64_t Number();
  std::string Text();
  std::vector<std::string> Texts();
  bool ok() const { return ok_; }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

// 64-bit FNV-1a; against torn and rotten records, not against people.
uint64_t Checksum(std::string_view bytes);

enum class FrameKind : uint8_t {
  kPlan = 1,    // agent: what to run; the first frame, with descriptors
  kStart = 2,   // agent: run it, with this environment
  kStop = 3,    // agent
  kLease = 4,   // agent: a new deadline
  kStatus = 5,  // shim: on every change, and to everyone who connects
};

struct Frame {
  FrameKind kind = FrameKind::kStatus;
  std::string payload;
};

inline constexpr size_t kFrameBytesMax = size_t{16} << 20;

std::string EncodeFrame(FrameKind kind, std::string_view payload);

// Cuts a byte stream into frames.
class FrameBuffer {
 public:
  void Append(std::string_view bytes);
  // False: no whole frame is there.
  bool Next(Frame& frame);
  // The stream is not one of ours.
  bool is_broken() const { return broken_; }

 private:
  std::string bytes_;
  bool broken_ = false;
};

}  // namespace berth::shim

#endif  // BERTH_AGENT_SHIM_WIRE_H_
