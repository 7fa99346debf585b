#include "common/credentials.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

#include "common/check.h"
#include "common/error_detail.h"
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr char kBase62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr char kPrefix[] = "brth";
constexpr size_t kIdLength = 12;
constexpr size_t kSecretLength = 43;  // 62^43 > 2^256
constexpr size_t kChecksumLength = 6;
constexpr off_t kTokenFileBytesMax = 4096;

void FillRandom(uint8_t* bytes, size_t count) {
  size_t done = 0;
  while (done < count) {
    const ssize_t got = getrandom(bytes + done, count - done, 0);
    BERTH_CHECK(got > 0 || errno == EINTR);
    done += got > 0 ? static_cast<size_t>(got) : 0;
  }
}

std::string RandomBase62(size_t length) {
  std::string out;
  std::array<uint8_t, 64> bytes{};
  while (out.size() < length) {
    FillRandom(bytes.data(), bytes.size());
    for (size_t i = 0; i < bytes.size() && out.size() < length; ++i) {
      // 248 is the largest multiple of 62 in a byte: rejecting the rest keeps every letter as
      // likely.
      if (bytes[i] < 248) {
        out.push_back(kBase62[bytes[i] % 62]);
      }
    }
  }
  return out;
}

std::string Base62(uint64_t number, size_t length) {
  std::string digits(length, '0');
  for (size_t i = length; i > 0; --i) {
    digits[i - 1] = kBase62[number % 62];
    number /= 62;
  }
  return digits;
}

// CRC-32 (IEEE) as six digits of base62: catches a token that was cut or mistyped.
std::string Checksum(absl::string_view text) {
  uint32_t crc = 0xffffffff;
  for (const char c : text) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
    }
  }
  return Base62(~crc, kChecksumLength);
}

bool IsBase62(absl::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) {
      return false;
    }
  }
  return true;
}

absl::Status NotAToken(absl::string_view why) {
  return MakeError(absl::StatusCode::kUnauthenticated,
                   {.code = "B7101",
                    .message = "this is not a Berth token",
                    .why = why,
                    .fix = "copy the whole token, from brth_ to its end; or ask for a new one: "
                           "`berth token create`"});
}

absl::Status TokenFileError(absl::StatusCode code, absl::string_view message,
                            absl::string_view fix) {
  return MakeError(code, {.code = "B7105", .message = message, .why = "", .fix = fix});
}

absl::Status OpenError(absl::string_view path, int error) {
  const auto code =
      error == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kUnauthenticated;
  return TokenFileError(code,
                        absl::StrCat("cannot read the token file ", path, ": ",
                                     error == ENOENT ? "no such file" : "permission denied"),
                        "check the path and who owns the file");
}

absl::StatusOr<Secret> ReadOpenTokenFile(int file, absl::string_view path) {
  struct stat facts {};
  if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return TokenFileError(absl::StatusCode::kUnauthenticated,
                          absl::StrCat("the token file ", path, " is not a plain file"), "");
  }
  if ((facts.st_mode & 077) != 0) {
    return TokenFileError(absl::StatusCode::kUnauthenticated,
                          absl::StrFormat("others may read the token file %s (mode %04o)", path,
                                          static_cast<unsigned>(facts.st_mode) & 07777U),
                          absl::StrCat("chmod 600 ", path));
  }
  if (facts.st_size > kTokenFileBytesMax) {
    return TokenFileError(absl::StatusCode::kUnauthenticated,
                          absl::StrCat("the token file ", path, " is too large for a token"), "");
  }
  std::string text(static_cast<size_t>(kTokenFileBytesMax), '\0');
  const ssize_t got = read(file, text.data(), text.size());
  if (got < 0) {
    return OpenError(path, errno);
  }
  text.resize(static_cast<size_t>(got));
  const std::string token(absl::StripAsciiWhitespace(text));
  if (const auto parsed = ParseBearerToken(token); !parsed.ok()) {
    return TokenFileError(absl::StatusCode::kUnauthenticated,
                          absl::StrCat("the token file ", path, " holds no valid token"),
                          "write the whole token into it, and nothing else");
  }
  return Secret(token);
}

}  // namespace

BearerToken NewBearerToken() {
  return {.id = RandomBase62(kIdLength), .secret = Secret(RandomBase62(kSecretLength))};
}

std::string NumberedTokenId(uint64_t number) {
  return absl::StrCat("J", Base62(number, kIdLength - 1));  // 62^11 > 2^64
}

BearerToken DeriveBearerToken(const Secret& key, absl::string_view id, absl::string_view facts) {
  const std::string text = absl::StrCat(id, " ", facts);
  std::array<uint8_t, 64> code{};
  BERTH_CHECK(HMAC(EVP_sha512(), key.Reveal().data(), static_cast<int>(key.Reveal().size()),
                   reinterpret_cast<const unsigned char*>(text.data()), text.size(), code.data(),
                   nullptr) != nullptr);
  std::string secret(kSecretLength, '0');
  for (size_t i = 0; i < kSecretLength; ++i) {
    secret[i] = kBase62[code[i] % 62];
  }
  return {.id = std::string(id), .secret = Secret(std::move(secret))};
}

std::string FormatBearerToken(const BearerToken& token) {
  const std::string body = absl::StrCat(kPrefix, "_", token.id, "_", token.secret.Reveal());
  return absl::StrCat(body, "_", Checksum(body));
}

absl::StatusOr<BearerToken> ParseBearerToken(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '_');
  if (parts.size() != 4 || parts[0] != kPrefix) {
    return NotAToken("a token looks like brth_<id>_<secret>_<checksum>");
  }
  if (parts[1].size() != kIdLength || parts[2].size() != kSecretLength ||
      parts[3].size() != kChecksumLength || !IsBase62(parts[1]) || !IsBase62(parts[2])) {
    return NotAToken("one of its parts has the wrong length or letters");
  }
  if (Checksum(text.substr(0, text.size() - kChecksumLength - 1)) != parts[3]) {
    return NotAToken("its checksum does not fit: a letter is wrong");
  }
  return BearerToken{.id = std::string(parts[1]), .secret = Secret(std::string(parts[2]))};
}

std::string Sha256(absl::string_view text) {
  std::string digest(32, '\0');
  unsigned size = 0;
  BERTH_CHECK(EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()),
                         &size, EVP_sha256(), nullptr) == 1);
  BERTH_CHECK(size == digest.size());
  return digest;
}

bool EqualInConstantTime(absl::string_view a, absl::string_view b) {
  if (a.size() != b.size()) {
    return false;
  }
  volatile uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference = difference | static_cast<uint8_t>(a[i] ^ b[i]);
  }
  return difference == 0;
}

std::string RandomHex(int bytes) {
  BERTH_CHECK(bytes > 0);
  std::string raw(static_cast<size_t>(bytes), '\0');
  FillRandom(reinterpret_cast<uint8_t*>(raw.data()), raw.size());
  return absl::BytesToHexString(raw);
}

absl::StatusOr<Secret> ReadTokenFile(absl::string_view path) {
  const int file = open(std::string(path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    return OpenError(path, errno);
  }
  auto token = ReadOpenTokenFile(file, path);
  close(file);
  return token;
}

}  // namespace berth
