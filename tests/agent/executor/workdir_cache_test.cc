#include "agent/executor/workdir_cache.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include <gtest/gtest.h>

#include "common/credentials.h"
#include "tests/testing/temp_dir.h"
#include <fcntl.h>
#include <sys/stat.h>

namespace berth {
namespace {

constexpr int64_t kMebi = int64_t{1} << 20;

bool Never() {
  return false;
}

class Caching : public testing::Test {
 protected:
  std::string Folder() { return dir_.File("kept"); }

  // A folder of one file, as it comes from the scheduler.
  void Fill(WorkdirCache::Filling& filling, const std::string& content) {
    const std::string manifest = ManifestOf(content);
    filling.Begin(static_cast<int64_t>(manifest.size()));
    filling.Add(manifest);
    filling.Add(content);
  }
  static std::string ManifestOf(const std::string& content) {
    v1::WorkdirManifest manifest;
    v1::WorkdirEntry& entry = *manifest.add_entries();
    entry.set_kind(v1::WorkdirEntry::KIND_FILE);
    entry.set_path("file");
    entry.set_mode(0644);
    entry.set_size(static_cast<int64_t>(content.size()));
    entry.set_sha256(Sha256(content));
    return manifest.SerializeAsString();
  }
  static WorkdirOrder OrderOf(const std::string& content, const std::string& tenant = "acme") {
    WorkdirOrder order;
    order.tenant = tenant;
    order.sha256 = Sha256(ManifestOf(content));
    return order;
  }

  void Keep(WorkdirCache& cache, const std::string& content) {
    const WorkdirCache::Claim claim = cache.Find(OrderOf(content), Never);
    ASSERT_NE(claim.filling, nullptr);
    Fill(*claim.filling, content);
    claim.filling->Keep();
  }
  static bool Has(WorkdirCache& cache, const std::string& content) {
    return cache.Find(OrderOf(content), Never).kept.is_open();
  }
  void WasUsed(const std::string& content, absl::Duration ago) {
    const std::string path = Folder() + "/acme_" + absl::BytesToHexString(OrderOf(content).sha256);
    const timespec at = absl::ToTimespec(absl::Now() - ago);
    const timespec times[2] = {at, at};
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
  int FilesLeft() {
    int count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(Folder())) {
      ++count;
    }
    return count;
  }

  TempDir dir_;
};

TEST_F(Caching, GivesWhatWasKept) {
  WorkdirCache cache(Folder(), kMebi);
  Keep(cache, "print(1)");
  const WorkdirCache::Claim claim = cache.Find(OrderOf("print(1)"), Never);
  ASSERT_TRUE(claim.kept.is_open());
  EXPECT_EQ(claim.filling, nullptr);

  std::filesystem::create_directories(dir_.File("work"));
  WorkdirOrder order = OrderOf("print(1)");
  order.folder = Descriptor(open(dir_.File("work").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_TRUE(Unpack(claim.kept, order).ok());
  std::ifstream file(dir_.File("work/file"));
  std::string text;
  std::getline(file, text);
  EXPECT_EQ(text, "print(1)");

  struct stat facts {};
  ASSERT_EQ(stat(Folder().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0700U) << "a task could read what another tenant uploaded";
}

TEST_F(Caching, BelievesNothingOfAKeptFile) {
  WorkdirCache cache(Folder(), kMebi);
  Keep(cache, "print(1)");
  for (const auto& entry : std::filesystem::directory_iterator(Folder())) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('2');
  }
  WorkdirCache::Claim claim = cache.Find(OrderOf("print(1)"), Never);
  ASSERT_TRUE(claim.kept.is_open());
  std::filesystem::create_directories(dir_.File("work"));
  WorkdirOrder order = OrderOf("print(1)");
  order.folder = Descriptor(open(dir_.File("work").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_TRUE(absl::IsDataLoss(Unpack(claim.kept, order)));
  cache.Remove(order);
  EXPECT_FALSE(Has(cache, "print(1)"));
}

TEST_F(Caching, OthersWaitForWhatIsComing) {
  WorkdirCache cache(Folder(), kMebi);
  WorkdirCache::Claim first = cache.Find(OrderOf("a"), Never);
  ASSERT_NE(first.filling, nullptr);
  std::thread other([&] { EXPECT_TRUE(Has(cache, "a")); });
  Fill(*first.filling, "a");
  first.filling->Keep();
  first.filling.reset();
  other.join();
}

TEST_F(Caching, TheNextOneBringsWhatDidNotComeWhole) {
  WorkdirCache cache(Folder(), kMebi);
  WorkdirCache::Claim first = cache.Find(OrderOf("a"), Never);
  std::thread other([&] { Keep(cache, "a"); });
  Fill(*first.filling, "a");
  first.filling.reset();
  other.join();
  EXPECT_TRUE(Has(cache, "a"));
}

TEST_F(Caching, WhoIsCancelledWaitsNoLonger) {
  WorkdirCache cache(Folder(), kMebi);
  const WorkdirCache::Claim first = cache.Find(OrderOf("a"), Never);
  const WorkdirCache::Claim second = cache.Find(OrderOf("a"), [] { return true; });
  EXPECT_FALSE(second.kept.is_open());
  EXPECT_EQ(second.filling, nullptr);
}

TEST_F(Caching, RemovesWhatWasUsedLongestAgo) {
  WorkdirCache cache(Folder(), 3000);
  Keep(cache, std::string(1000, 'a'));
  Keep(cache, std::string(1000, 'b'));
  WasUsed(std::string(1000, 'a'), absl::Hours(2));
  WasUsed(std::string(1000, 'b'), absl::Hours(1));
  EXPECT_TRUE(Has(cache, std::string(1000, 'a')));  // which uses it
  Keep(cache, std::string(1000, 'c'));
  EXPECT_TRUE(Has(cache, std::string(1000, 'a')));
  EXPECT_FALSE(Has(cache, std::string(1000, 'b')));
  EXPECT_TRUE(Has(cache, std::string(1000, 'c')));
  Keep(cache, std::string(4000, 'd'));
  EXPECT_FALSE(Has(cache, std::string(4000, 'd'))) << "one alone may not have more either";
  EXPECT_TRUE(Has(cache, std::string(1000, 'c')));
}

TEST_F(Caching, ClearedItKeepsNothingNotEvenWhatIsComing) {
  WorkdirCache cache(Folder(), kMebi);
  EXPECT_FALSE(cache.Clear());
  Keep(cache, "a");
  WorkdirCache::Claim coming = cache.Find(OrderOf("b"), Never);
  EXPECT_TRUE(cache.Clear());
  Fill(*coming.filling, "b");
  EXPECT_EQ(FilesLeft(), 0) << "it still takes room";
  coming.filling->Keep();
  coming.filling.reset();
  EXPECT_FALSE(Has(cache, "a"));
  EXPECT_FALSE(Has(cache, "b"));
  Keep(cache, "b");
  EXPECT_TRUE(Has(cache, "b"));
}

TEST_F(Caching, FindsAgainAfterARestartWhatWasWhole) {
  {
    WorkdirCache cache(Folder(), kMebi);
    Keep(cache, "a");
  }
  std::ofstream(Folder() + "/0123.new") << "half";
  WorkdirCache cache(Folder(), kMebi);
  EXPECT_TRUE(Has(cache, "a"));
  EXPECT_EQ(FilesLeft(), 1);
  WorkdirCache none(Folder(), 0);
  EXPECT_EQ(FilesLeft(), 0);
  const WorkdirCache::Claim claim = none.Find(OrderOf("a"), Never);
  EXPECT_FALSE(claim.kept.is_open());
  EXPECT_EQ(claim.filling, nullptr);
}

TEST_F(Caching, TenantsShareNothing) {
  WorkdirCache cache(Folder(), kMebi);
  Keep(cache, "a");
  Keep(cache, "b");
  EXPECT_FALSE(cache.Find(OrderOf("a", "other"), Never).kept.is_open());
  EXPECT_FALSE(cache.Find(OrderOf("a", "acm"), Never).kept.is_open());
  EXPECT_EQ(cache.FindOthers("acme").size(), 2U);
  EXPECT_TRUE(cache.FindOthers("other").empty());
  EXPECT_TRUE(cache.FindOthers("acm").empty());
  cache.RemoveOthers("acm");
  EXPECT_TRUE(Has(cache, "a"));
  cache.RemoveOthers("acme");
  EXPECT_FALSE(Has(cache, "a"));
}

TEST_F(Caching, TheContentsOfThoseUsedLastAreAtHand) {
  WorkdirCache cache(Folder(), kMebi);
  for (int i = 0; i < 6; ++i) {
    Keep(cache, std::string(10, static_cast<char>('a' + i)));
    WasUsed(std::string(10, static_cast<char>('a' + i)), absl::Hours(10 - i));
  }
  const KeptContents contents(cache.FindOthers("acme"));
  EXPECT_EQ(contents.Names().size(), WorkdirCache::kFoldersMax);
  EXPECT_FALSE(contents.Has(Sha256(std::string(10, 'b'))));
  std::string read;
  ASSERT_TRUE(contents
                  .Read(Sha256(std::string(10, 'c')),
                        [&](absl::string_view data) {
                          read.append(data.data(), data.size());
                          return absl::OkStatus();
                        })
                  .ok());
  EXPECT_EQ(read, std::string(10, 'c'));
}

}  // namespace
}  // namespace berth
