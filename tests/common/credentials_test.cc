#include "common/credentials.h"

#include <cstdlib>
#include <fstream>

#include "absl/strings/escaping.h"
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

// A file of its own, removed at the end.
class TokenFile {
 public:
  TokenFile(const std::string& text, mode_t mode) {
    char path[] = "/tmp/berth-token-XXXXXX";
    close(mkstemp(path));
    path_ = path;
    std::ofstream(path_) << text;
    chmod(path_.c_str(), mode);
  }
  ~TokenFile() { unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(BearerToken, IsReadBackAndHasTheFixedForm) {
  const BearerToken token = NewBearerToken();
  const std::string text = FormatBearerToken(token);
  EXPECT_EQ(token.id.size(), 12u);
  EXPECT_EQ(token.secret.Reveal().size(), 43u);
  EXPECT_EQ(text.substr(0, 18), "brth_" + token.id + "_");
  const auto parsed = ParseBearerToken(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->id, token.id);
  EXPECT_EQ(parsed->secret.Reveal(), token.secret.Reveal());
}

TEST(BearerToken, TwoAreNeverTheSame) {
  EXPECT_NE(FormatBearerToken(NewBearerToken()), FormatBearerToken(NewBearerToken()));
}

TEST(BearerToken, EveryChangedLetterIsNoticed) {
  const std::string text = FormatBearerToken(NewBearerToken());
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(ParseBearerToken(changed).ok()) << i;
  }
  EXPECT_FALSE(ParseBearerToken(text.substr(0, text.size() - 1)).ok());
  EXPECT_FALSE(ParseBearerToken("").ok());
}

TEST(BearerToken, TheErrorDoesNotRepeatTheSecret) {
  const BearerToken token = NewBearerToken();
  const auto status = ParseBearerToken("brth_" + token.id + "_" + token.secret.Reveal()).status();
  EXPECT_EQ(status.ToString().find(token.secret.Reveal()), std::string::npos);
}

TEST(DeriveBearerToken, FollowsFromKeyIdAndFactsAlone) {
  const auto derive = [](const char* key, uint64_t number, const char* facts) {
    return FormatBearerToken(DeriveBearerToken(Secret(key), NumberedTokenId(number), facts));
  };
  const std::string token = derive("key", 7, "job 1");
  EXPECT_TRUE(ParseBearerToken(token).ok());
  EXPECT_EQ(token, derive("key", 7, "job 1"));
  EXPECT_NE(token, derive("kez", 7, "job 1"));
  EXPECT_NE(token, derive("key", 8, "job 1"));
  EXPECT_NE(token, derive("key", 7, "job 2"));
}

TEST(NumberedTokenId, HasRoomForEveryNumber) {
  EXPECT_EQ(NumberedTokenId(61), "J0000000000z");
  EXPECT_EQ(NumberedTokenId(62), "J00000000010");
  EXPECT_EQ(NumberedTokenId(UINT64_MAX), "JLygHa16AHYF");
}

TEST(Sha256, MatchesThePublishedVector) {
  EXPECT_EQ(absl::BytesToHexString(Sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(EqualInConstantTime, ComparesWholeStrings) {
  EXPECT_TRUE(EqualInConstantTime("abc", "abc"));
  EXPECT_TRUE(EqualInConstantTime("", ""));
  EXPECT_FALSE(EqualInConstantTime("abc", "abd"));
  EXPECT_FALSE(EqualInConstantTime("abc", "ab"));
}

TEST(RandomHex, HasTheLengthAskedFor) {
  EXPECT_EQ(RandomHex(16).size(), 32u);
  EXPECT_NE(RandomHex(16), RandomHex(16));
}

TEST(ReadTokenFile, ReadsTheTokenOfAPrivateFile) {
  const std::string text = FormatBearerToken(NewBearerToken());
  const TokenFile file(text + "\n", 0600);
  const auto token = ReadTokenFile(file.path());
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->Reveal(), text);
}

TEST(ReadTokenFile, RefusesAFileThatOthersMayRead) {
  const TokenFile file(FormatBearerToken(NewBearerToken()), 0640);
  const auto status = ReadTokenFile(file.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_NE(status.message().find("0640"), absl::string_view::npos) << status;
}

TEST(ReadTokenFile, RefusesWhatIsMissingEmptyOrNoFile) {
  EXPECT_EQ(ReadTokenFile("/nonexistent/token").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(ReadTokenFile(TokenFile("", 0600).path()).ok());
  EXPECT_FALSE(ReadTokenFile("/tmp").ok());
  const TokenFile large(std::string(8192, 'x'), 0600);
  EXPECT_FALSE(ReadTokenFile(large.path()).ok());
}

}  // namespace
}  // namespace berth
