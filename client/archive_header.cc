#include "client/archive_header.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace berth {
namespace {

struct Field {
  size_t at;
  size_t size;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kUser{108, 8};
constexpr Field kGroup{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kModified{136, 12};
constexpr Field kSum{148, 8};
constexpr Field kType{156, 1};
constexpr Field kLink{157, 100};
constexpr Field kMagic{257, 8};
constexpr Field kPrefix{345, 155};
constexpr char kPosixMagic[] = "ustar\00000";
// GNU's own: it has no prefix.
constexpr char kGnuMagic[] = "ustar  ";
constexpr unsigned char kBase256 = 0x80;

void Put(std::string& block, Field field, absl::string_view text) {
  std::memcpy(block.data() + field.at, text.data(), std::min(text.size(), field.size));
}

void PutNumber(std::string& block, Field field, int64_t value) {
  const std::string octal =
      absl::StrFormat("%0*o", static_cast<int>(field.size) - 1, static_cast<uint64_t>(value));
  if (octal.size() < field.size) {
    Put(block, field, octal);
    return;
  }
  for (size_t i = 0; i < field.size; ++i) {
    const size_t shift = 8 * i;
    block[field.at + field.size - 1 - i] =
        shift < 64 ? static_cast<char>(static_cast<uint64_t>(value) >> shift) : '\0';
  }
  block[field.at] = static_cast<char>(kBase256);
}

std::string Get(absl::string_view block, Field field) {
  const absl::string_view text = block.substr(field.at, field.size);
  return std::string(text.substr(0, text.find('\0')));
}

std::optional<int64_t> GetNumber(absl::string_view block, Field field) {
  const absl::string_view bytes = block.substr(field.at, field.size);
  uint64_t value = 0;
  if ((static_cast<unsigned char>(bytes[0]) & kBase256) != 0) {
    for (const char byte : bytes.substr(1)) {
      if (value >> 55 != 0) {
        return std::nullopt;
      }
      value = value << 8 | static_cast<unsigned char>(byte);
    }
    return static_cast<int64_t>(value);
  }
  for (const char digit : bytes) {
    if (digit == ' ' || digit == '\0') {
      continue;
    }
    if (digit < '0' || digit > '7' || value >> 60 != 0) {
      return std::nullopt;
    }
    value = value * 8 + static_cast<uint64_t>(digit - '0');
  }
  return static_cast<int64_t>(value);
}

// Of all bytes, with the sum's own field taken for spaces.
int64_t SumOf(absl::string_view block) {
  int64_t sum = 0;
  for (size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= kSum.at && i < kSum.at + kSum.size;
    sum += own ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return sum;
}

}  // namespace

std::string EncodeArchiveHeader(const ArchiveHeader& header) {
  std::string block(kArchiveBlock, '\0');
  Put(block, kName, header.name);
  PutNumber(block, kMode, header.mode & 07777);
  PutNumber(block, kUser, 0);
  PutNumber(block, kGroup, 0);
  PutNumber(block, kSize, header.size);
  PutNumber(block, kModified, std::max<int64_t>(header.modified_s, 0));
  block[kType.at] = header.type;
  Put(block, kLink, header.link);
  Put(block, kMagic, absl::string_view(kGnuMagic, kMagic.size));
  Put(block, kSum, absl::StrFormat("%06o", SumOf(block)));
  block[kSum.at + 7] = ' ';
  return block;
}

std::optional<ArchiveHeader> DecodeArchiveHeader(absl::string_view block) {
  const auto sum = GetNumber(block, kSum);
  const auto size = GetNumber(block, kSize);
  const auto mode = GetNumber(block, kMode);
  if (block.size() != kArchiveBlock || !sum.has_value() || *sum != SumOf(block) ||
      !size.has_value() || *size < 0 || !mode.has_value()) {
    return std::nullopt;
  }
  ArchiveHeader header;
  header.name = Get(block, kName);
  const std::string prefix = Get(block, kPrefix);
  if (block.substr(kMagic.at, kMagic.size) == absl::string_view(kPosixMagic, kMagic.size) &&
      !prefix.empty()) {
    header.name = absl::StrCat(prefix, "/", header.name);
  }
  header.link = Get(block, kLink);
  header.size = *size;
  header.modified_s = GetNumber(block, kModified).value_or(0);
  header.mode = static_cast<int>(*mode & 0777);
  // An old tar leaves the type of a file out.
  header.type = block[kType.at] == '\0' ? kArchiveFile : block[kType.at];
  return header;
}

}  // namespace berth
