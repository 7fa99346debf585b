#include "common/workdir_manifest.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include <gtest/gtest.h>

#include "common/credentials.h"
#include "common/sha256_sum.h"

namespace berth {
namespace {

constexpr WorkdirLimits kLimits = {.size_max = 1000, .entries_max = 20};

v1::WorkdirEntry File(const std::string& path, const std::string& content = "x") {
  v1::WorkdirEntry entry;
  entry.set_kind(v1::WorkdirEntry::KIND_FILE);
  entry.set_path(path);
  entry.set_mode(0644);
  entry.set_size(static_cast<int64_t>(content.size()));
  entry.set_sha256(Sha256(content));
  return entry;
}

v1::WorkdirEntry Folder(const std::string& path) {
  v1::WorkdirEntry entry;
  entry.set_kind(v1::WorkdirEntry::KIND_FOLDER);
  entry.set_path(path);
  entry.set_mode(0755);
  return entry;
}

v1::WorkdirEntry Link(const std::string& path, const std::string& target) {
  v1::WorkdirEntry entry;
  entry.set_kind(v1::WorkdirEntry::KIND_LINK);
  entry.set_path(path);
  entry.set_target(target);
  return entry;
}

v1::WorkdirManifest Manifest(const std::vector<v1::WorkdirEntry>& entries) {
  v1::WorkdirManifest manifest;
  manifest.mutable_entries()->Assign(entries.begin(), entries.end());
  return manifest;
}

// The refusal, or "".
std::string Check(const std::vector<v1::WorkdirEntry>& entries) {
  return std::string(CheckManifest(Manifest(entries), kLimits).message());
}

TEST(WorkdirManifest, TakesFilesFoldersAndLinksInside) {
  EXPECT_EQ(Check({}), "");
  EXPECT_EQ(Check({File("-rf"), File("a"), Folder("d"), File("d.txt"), Folder("d/e"),
                   Link("d/e/up", "../../a"), Link("d/here", "."), File("d/x"), Link("l", "d/e"),
                   Link("m", "l/up"), Link("n", "not/there")}),
            "");
}

TEST(WorkdirManifest, RefusesNamesThatLeadElsewhere) {
  const std::vector<std::string> names = {"",
                                          "/etc/passwd",
                                          "..",
                                          "../x",
                                          ".",
                                          "./x",
                                          "x/",
                                          "a//b",
                                          "a/../b",
                                          "a/.",
                                          std::string("a\0b", 3),
                                          std::string(256, 'n'),
                                          std::string(4000, 'n')};
  for (const std::string& name : names) {
    EXPECT_NE(Check({Folder("a"), File(name)}), "") << name;
  }
  std::vector<v1::WorkdirEntry> deep;
  for (std::string path = "d"; deep.size() < 101; path += "/d") {
    deep.push_back(Folder(path));
  }
  EXPECT_NE(CheckManifest(Manifest(deep), kWorkdirLimitsMost).message(), "");
  deep.pop_back();
  EXPECT_EQ(CheckManifest(Manifest(deep), kWorkdirLimitsMost).message(), "");
}

TEST(WorkdirManifest, RefusesWhatLiesInNoFolderOfIt) {
  EXPECT_NE(Check({File("a/b")}), "");
  EXPECT_NE(Check({File("a"), File("a/b")}), "");
  EXPECT_NE(Check({Link("a", "."), File("a/b")}), "");
}

TEST(WorkdirManifest, RefusesDoublesAndDisorder) {
  EXPECT_NE(Check({File("a"), File("a")}), "");
  EXPECT_NE(Check({File("a"), Folder("a")}), "");
  EXPECT_NE(Check({File("b"), File("a")}), "");
}

// Rule: where a link leads is found by the links on its way, not by its text.
TEST(WorkdirManifest, RefusesLinksThatLeadOut) {
  for (const std::string target :
       {"/etc/passwd", "..", "../a", "d/../..", "./../x", "d/e/../../.."}) {
    EXPECT_NE(Check({Folder("d"), Folder("d/e"), Link("l", target)}), "") << target;
  }
  // d/up is the folder itself: what is above that is out, though no text says so.
  EXPECT_EQ(Check({Folder("d"), Link("d/up", "..")}), "");
  EXPECT_NE(Check({Folder("d"), Link("d/up", ".."), Link("d/z", "up/..")}), "");
  EXPECT_NE(Check({Folder("d"), Folder("d/e"), Link("d/e/up", "../.."), Link("x", "d/e/up/..")}),
            "");
}

TEST(WorkdirManifest, RefusesLinksThatLeadRoundOrThroughTooMany) {
  EXPECT_NE(Check({Link("a", "b"), Link("b", "a")}), "");
  EXPECT_NE(Check({Link("a", "a")}), "");
  // Each of many links leads through all that are before it.
  std::vector<v1::WorkdirEntry> entries = {Folder("d")};
  const std::string way = absl::StrJoin(std::vector<std::string>(700, "."), "/");
  for (int i = 1000; i < 3000; ++i) {
    entries.push_back(Link(absl::StrCat("l", i), absl::StrCat(way, "/d/..")));
  }
  const absl::Status status = CheckManifest(Manifest(entries), kWorkdirLimitsMost);
  EXPECT_NE(status.message(), "");
}

TEST(WorkdirManifest, RefusesWhatIsNoFileFolderOrLink) {
  v1::WorkdirEntry device = File("device");
  device.set_kind(v1::WorkdirEntry::KIND_UNSPECIFIED);
  v1::WorkdirEntry unknown = File("unknown");
  unknown.set_kind(static_cast<v1::WorkdirEntry::Kind>(7));
  v1::WorkdirEntry setuid = File("setuid");
  setuid.set_mode(04755);
  v1::WorkdirEntry negative = File("negative");
  negative.set_size(-1);
  v1::WorkdirEntry digest = File("digest");
  digest.set_sha256("short");
  v1::WorkdirEntry folder = Folder("folder");
  folder.set_sha256(Sha256("x"));
  v1::WorkdirEntry target = File("target");
  target.set_target("a");
  v1::WorkdirEntry before_1970 = File("before");
  before_1970.set_modified_s(-1);
  v1::WorkdirEntry after_9999 = File("after");
  after_9999.set_modified_s(kModifiedMax + 1);
  v1::WorkdirEntry dated_folder = Folder("dated");
  dated_folder.set_modified_s(1);
  for (const v1::WorkdirEntry& entry : {device, unknown, setuid, negative, digest, folder, target,
                                        before_1970, after_9999, dated_folder, Link("link", "")}) {
    EXPECT_NE(Check({entry}), "") << entry.path();
  }
}

TEST(WorkdirManifest, RefusesTooMuch) {
  EXPECT_EQ(Check({File("a", std::string(1000, 'a'))}), "");
  EXPECT_NE(Check({File("a", std::string(1001, 'a'))}), "");
  // Equal contents are sent once and written twice.
  EXPECT_NE(Check({File("a", std::string(600, 'a')), File("b", std::string(600, 'a'))}), "");
  std::vector<v1::WorkdirEntry> many;
  for (int i = 10; i < 31; ++i) {
    many.push_back(File(absl::StrCat("f", i)));
  }
  EXPECT_NE(Check(many), "");
  many.pop_back();
  EXPECT_EQ(Check(many), "");
  v1::WorkdirEntry huge = File("h");
  huge.set_size(INT64_MAX);
  EXPECT_NE(Check({File("a"), huge}), "");
  v1::WorkdirEntry other_size = File("b");
  other_size.set_size(2);
  EXPECT_NE(Check({File("a"), other_size}), "");
}

TEST(WorkdirManifest, ReadsWhatWasWritten) {
  const v1::WorkdirManifest manifest = Manifest({File("a"), File("b", "y"), File("c")});
  const auto read = ReadManifest(manifest.SerializeAsString(), kLimits);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), manifest.SerializeAsString());
  EXPECT_EQ(DistinctContents(*read), (std::vector<int>{0, 1}));
  EXPECT_TRUE(ReadManifest("", kLimits).ok());
}

// Rule: a million entries of two bytes each are counted, not kept.
TEST(WorkdirManifest, CountsBeforeItParses) {
  std::string million;
  for (int i = 0; i < 1'000'000; ++i) {
    million += std::string("\x0a\0", 2);
  }
  const auto read = ReadManifest(million, kWorkdirLimitsMost);
  EXPECT_NE(read.status().message().find("1000000 files"), absl::string_view::npos)
      << read.status();
  for (const std::string text : {"hello", "\x0a\x7f", "\x12\x00", "\x0a"}) {
    EXPECT_FALSE(ReadManifest(text, kLimits).ok()) << text;
  }
  EXPECT_FALSE(ReadManifest(std::string(kManifestBytesMax + 1, 'a'), kWorkdirLimitsMost).ok());
}

TEST(Sha256SumTest, PiecesMakeTheSameSum) {
  Sha256Sum sum;
  sum.Add("ab");
  sum.Add("");
  sum.Add("c");
  EXPECT_EQ(sum.Finish(), Sha256("abc"));
  EXPECT_EQ(Sha256Sum().Finish(), Sha256(""));
}

}  // namespace
}  // namespace berth
