#include "agent/shim/notice.h"

#include <algorithm>
#include <cstring>

namespace berth {
namespace {

constexpr int32_t kWhole = 1000;

constexpr unsigned kCheckpoint = 1;
constexpr unsigned kProgress = 2;
constexpr unsigned kText = 4;

template <size_t kSize>
void Copy(const std::string& value, char (&target)[kSize]) {
  std::memset(target, 0, kSize);
  value.copy(target, kSize - 1);
}

// Thousandths of "0.4", "1" or ".25", cut; -1: it is no number from 0 to 1.
int32_t ReadProgress(const std::string& value) {
  const size_t point = std::min(value.find('.'), value.size());
  const std::string whole = value.substr(0, point);
  std::string part = point < value.size() ? value.substr(point + 1) : "";
  const auto is_digits = [](const std::string& text) {
    return text.find_first_not_of("0123456789") == std::string::npos;
  };
  if (whole.size() + part.size() == 0 || !is_digits(whole) || !is_digits(part) ||
      (whole != "" && whole != "0" && whole != "1")) {
    return -1;
  }
  const bool has_more = part.find_first_not_of('0') != std::string::npos;
  if (whole == "1") {
    return has_more ? -1 : kWhole;
  }
  part.resize(3, '0');
  return (part[0] - '0') * 100 + (part[1] - '0') * 10 + (part[2] - '0');
}

// At most `bytes_max` bytes, without the beginning of a character that does not fit.
std::string CutText(const std::string& text, size_t bytes_max) {
  size_t end = text.size();
  if (end > bytes_max) {
    end = bytes_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
      --end;
    }
  }
  return text.substr(0, end);
}

const char* TakePart(unsigned part, const std::string& value, ShimNotice& notice) {
  switch (part) {
    case kCheckpoint:
      if (value.empty() || value.size() > kCheckpointBytesMax) {
        return "a checkpoint has a name of 1 to 64 bytes";
      }
      Copy(value, notice.checkpoint);
      return nullptr;
    case kProgress:
      notice.progress_milli = ReadProgress(value);
      return notice.progress_milli < 0 ? "progress is a number from 0 to 1" : nullptr;
    default:
      Copy(CutText(value, kNoticeTextBytesMax), notice.text);
      return nullptr;
  }
}

unsigned PartOf(const std::string& name) {
  if (name == "checkpoint") {
    return kCheckpoint;
  }
  if (name == "progress") {
    return kProgress;
  }
  return name == "text" ? kText : 0;
}

}  // namespace

const char* TakeNotice(const std::string& lines, int64_t now_ns, ShimNotice& notice) {
  if (lines.size() > kNoticeBytesMax) {
    return "a notice has at most 2048 bytes";
  }
  ShimNotice taken = notice;
  unsigned parts = 0;
  for (size_t at = 0; at < lines.size();) {
    const size_t end = std::min(lines.find('\n', at), lines.size());
    const std::string line = lines.substr(at, end - at);
    at = end + 1;
    if (line.empty()) {
      break;
    }
    const size_t equals = line.find('=');
    const unsigned part = equals == std::string::npos ? 0 : PartOf(line.substr(0, equals));
    if (part == 0) {
      return "a line is checkpoint=NAME, progress=0..1 or text=WORDS";
    }
    if ((parts & part) != 0) {
      return "a part is there twice";
    }
    parts |= part;
    if (const char* refused = TakePart(part, line.substr(equals + 1), taken)) {
      return refused;
    }
  }
  if (parts == 0) {
    return "it is empty: checkpoint=NAME, progress=0..1 or text=WORDS";
  }
  if ((parts & kCheckpoint) != 0) {
    taken.checkpoint_at_ns = now_ns;
  }
  taken.at_ns = now_ns;
  ++taken.count;
  notice = taken;
  return nullptr;
}

}  // namespace berth
