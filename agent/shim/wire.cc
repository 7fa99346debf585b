#include "agent/shim/wire.h"

#include <utility>

namespace berth::shim {
namespace {

constexpr size_t kNumberBytes = 8;
constexpr size_t kHeaderBytes = kNumberBytes + 1;

uint64_t DecodeNumber(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = kNumberBytes; i-- > 0;) {
    value = value << 8 | static_cast<uint8_t>(bytes[i]);
  }
  return value;
}

}  // namespace

void WireWriter::Number(uint64_t value) {
  for (size_t i = 0; i < kNumberBytes; ++i) {
    bytes_.push_back(static_cast<char>(value >> (8 * i)));
  }
}

void WireWriter::Text(std::string_view text) {
  Number(text.size());
  bytes_.append(text);
}

void WireWriter::Texts(const std::vector<std::string>& texts) {
  Number(texts.size());
  for (const std::string& text : texts) {
    Text(text);
  }
}

uint64_t WireReader::Number() {
  if (!ok_ || bytes_.size() < kNumberBytes) {
    ok_ = false;
    return 0;
  }
  const uint64_t value = DecodeNumber(bytes_);
  bytes_.remove_prefix(kNumberBytes);
  return value;
}

std::string WireReader::Text() {
  const uint64_t size = Number();
  if (!ok_ || bytes_.size() < size) {
    ok_ = false;
    return {};
  }
  std::string text(bytes_.substr(0, size));
  bytes_.remove_prefix(size);
  return text;
}

std::vector<std::string> WireReader::Texts() {
  std::vector<std::string> texts;
  for (uint64_t left = Number(); ok_ && left > 0; --left) {
    texts.push_back(Text());
  }
  return texts;
}

uint64_t Checksum(std::string_view bytes) {
  uint64_t sum = 14695981039346656037ULL;
  for (const char byte : bytes) {
    sum = (sum ^ static_cast<uint8_t>(byte)) * 1099511628211ULL;
  }
  return sum;
}

std::string EncodeFrame(FrameKind kind, std::string_view payload) {
  WireWriter header;
  header.Number(payload.size());
  std::string frame = header.Take();
  frame.push_back(static_cast<char>(kind));
  frame.append(payload);
  return frame;
}

void FrameBuffer::Append(std::string_view bytes) {
  bytes_.append(bytes);
}

bool FrameBuffer::Next(Frame& frame) {
  if (broken_ || bytes_.size() < kHeaderBytes) {
    return false;
  }
  const uint64_t size = DecodeNumber(bytes_);
  const auto kind = static_cast<uint8_t>(bytes_[kNumberBytes]);
  if (size > kFrameBytesMax || kind < static_cast<uint8_t>(FrameKind::kPlan) ||
      kind > static_cast<uint8_t>(FrameKind::kStatus)) {
    broken_ = true;
    return false;
  }
  if (bytes_.size() < kHeaderBytes + size) {
    return false;
  }
  frame.kind = static_cast<FrameKind>(kind);
  frame.payload = bytes_.substr(kHeaderBytes, size);
  bytes_.erase(0, kHeaderBytes + size);
  return true;
}

}  // namespace berth::shim
