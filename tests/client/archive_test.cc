#include "client/archive.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "client/archive_header.h"
#include "common/error_detail.h"
#include "tests/testing/temp_dir.h"
#include <sys/stat.h>

namespace berth {
namespace {

namespace fs = std::filesystem;

class ArchiveTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(dir.File("target")); }

  static std::string Entry(ArchiveHeader header, const std::string& content = "") {
    header.size = static_cast<int64_t>(content.size());
    header.mode = 0644;
    std::string bytes = EncodeArchiveHeader(header) + content;
    bytes.resize((bytes.size() + kArchiveBlock - 1) / kArchiveBlock * kArchiveBlock);
    return bytes;
  }
  static std::string End() { return std::string(2 * kArchiveBlock, '\0'); }

  // In pieces of so many bytes.
  absl::Status Unpack(const std::string& bytes, size_t piece = 1 << 20) {
    ArchiveReader reader("top", dir.File("target"));
    for (size_t at = 0; at < bytes.size(); at += piece) {
      if (const absl::Status status = reader.Take(absl::string_view(bytes).substr(at, piece));
          !status.ok()) {
        return status;
      }
    }
    return reader.Finish();
  }
  std::string Read(const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(dir.File(name)).rdbuf();
    return text.str();
  }
  void Write(const std::string& name, const std::string& text) {
    fs::create_directories(fs::path(dir.File(name)).parent_path());
    std::ofstream(dir.File(name)) << text;
  }
  void ExpectRefused(const std::string& bytes) {
    const absl::Status status = Unpack(bytes + End());
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(FindDetail(status)->code, "B1307");
    EXPECT_FALSE(fs::exists(dir.File("escaped")));
    EXPECT_TRUE(fs::is_empty(dir.File("outside")));
  }

  TempDir dir;
};

TEST_F(ArchiveTest, WhatIsPackedComesOutAgainInPiecesOfAnySize) {
  const std::string long_name = std::string(120, 'n') + "/" + std::string(150, 'm');
  Write("source/a", "alpha");
  Write("source/empty", "");
  Write("source/" + long_name, std::string(100000, 'z'));
  fs::create_symlink("a", dir.File("source/link"));
  fs::create_symlink(long_name, dir.File("source/long-link"));
  chmod(dir.File("source/a").c_str(), 0751);
  std::string bytes;
  std::vector<std::string> skipped;
  ASSERT_TRUE(WriteArchive(
                  dir.File("source"), "top",
                  [&](const std::string& piece) {
                    bytes += piece;
                    return true;
                  },
                  skipped)
                  .ok());
  for (const size_t piece : {7u, 512u, 1u << 20}) {
    fs::remove_all(dir.File("target"));
    ASSERT_EQ(Unpack(bytes, piece), absl::OkStatus());
    EXPECT_EQ(Read("target/a"), "alpha");
    EXPECT_EQ(Read("target/" + long_name), std::string(100000, 'z'));
    EXPECT_TRUE(fs::exists(dir.File("target/empty")));
    EXPECT_EQ(fs::read_symlink(dir.File("target/link")), "a");
    EXPECT_EQ(fs::read_symlink(dir.File("target/long-link")), long_name);
    struct stat facts {};
    ASSERT_EQ(stat(dir.File("target/a").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777, 0751u);
  }
}

TEST_F(ArchiveTest, AFileKeepsItsTimeAndAnAbsurdOneIsNone) {
  const auto modified = [&](const std::string& name) {
    struct stat facts {};
    EXPECT_EQ(stat(dir.File("target/" + name).c_str(), &facts), 0);
    return facts.st_mtime;
  };
  ASSERT_TRUE(Unpack(Entry({.name = "top/old", .modified_s = 1'000'000'007}, "x") +
                     Entry({.name = "top/empty", .modified_s = 86'400}) +
                     Entry({.name = "top/absurd", .modified_s = int64_t{1} << 60}, "x") + End())
                  .ok());
  EXPECT_EQ(modified("old"), 1'000'000'007);
  EXPECT_EQ(modified("empty"), 86'400);
  EXPECT_LE(modified("absurd"), 253'402'300'799);
}

TEST_F(ArchiveTest, NothingIsWrittenOutsideOfTheTarget) {
  fs::create_directories(dir.File("outside"));
  ExpectRefused(Entry({.name = "top/../../escaped"}, "evil"));
  ExpectRefused(Entry({.name = dir.File("escaped")}, "evil"));
  ExpectRefused(Entry({.name = "other"}, "evil"));
  ExpectRefused(Entry({.name = "top/l", .link = "../outside", .type = kArchiveLink}));
  ExpectRefused(Entry({.name = "top/l", .link = dir.File("outside"), .type = kArchiveLink}));
  ExpectRefused(Entry({.name = "top/a/l", .link = "../../outside", .type = kArchiveLink}));
  ExpectRefused(Entry({.name = "top/hard", .link = "/etc/passwd", .type = '1'}));
  ExpectRefused(Entry({.name = "top/device", .type = '3'}));
  ExpectRefused(Entry({.name = "top/fifo", .type = '6'}));
}

// One that was there before, or that the archive brought itself.
TEST_F(ArchiveTest, NoLinkIsFollowed) {
  fs::create_directories(dir.File("outside"));
  fs::create_symlink(dir.File("outside"), dir.File("target/out"));
  ExpectRefused(Entry({.name = "top/out/escaped"}, "evil"));
  ExpectRefused(Entry({.name = "top/d", .type = kArchiveFolder}) +
                Entry({.name = "top/in", .link = "d", .type = kArchiveLink}) +
                Entry({.name = "top/in/file"}, "evil"));
  Write("kept", "kept");
  fs::create_symlink(dir.File("kept"), dir.File("target/file"));
  EXPECT_EQ(Unpack(Entry({.name = "top/file"}, "new") + End()), absl::OkStatus());
  EXPECT_EQ(Read("kept"), "kept");
  EXPECT_EQ(Read("target/file"), "new");
}

TEST_F(ArchiveTest, AStreamThatIsNoneOrBreaksOffIsToldApart) {
  const std::string whole = Entry({.name = "top/file"}, std::string(2000, 'x')) + End();
  EXPECT_EQ(Unpack(whole), absl::OkStatus());
  EXPECT_EQ(Unpack(whole.substr(0, 1500)).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Unpack("").code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Unpack(End()).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Unpack(std::string(600, 'n')).code(), absl::StatusCode::kDataLoss);
  std::string flipped = whole;
  flipped[3] ^= 1;
  EXPECT_EQ(Unpack(flipped).code(), absl::StatusCode::kDataLoss);
}

TEST(ArchiveHeaderTest, LargeNumbersSurvive) {
  const ArchiveHeader header{.name = "big", .link = "", .size = int64_t{1} << 40};
  const auto back = DecodeArchiveHeader(EncodeArchiveHeader(header));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->size, int64_t{1} << 40);
}

}  // namespace
}  // namespace berth
