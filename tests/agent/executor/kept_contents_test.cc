#include "agent/executor/kept_contents.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "agent/executor/workdir_unpacker.h"
#include "common/credentials.h"
#include "tests/testing/temp_dir.h"
#include <fcntl.h>
#include <unistd.h>

namespace berth {
namespace {

// Files of a folder, by name.
using Files = std::vector<std::pair<std::string, std::string>>;

std::string ManifestOf(const Files& files) {
  v1::WorkdirManifest manifest;
  for (const auto& [name, content] : files) {
    v1::WorkdirEntry& entry = *manifest.add_entries();
    entry.set_kind(v1::WorkdirEntry::KIND_FILE);
    entry.set_path(name);
    entry.set_mode(0644);
    entry.set_size(static_cast<int64_t>(content.size()));
    entry.set_sha256(Sha256(content));
  }
  return manifest.SerializeAsString();
}

// As it comes from the scheduler: once each of those contents that are not `kept`.
std::string BytesOf(const Files& files, const KeptContents& kept = KeptContents()) {
  std::string bytes = ManifestOf(files);
  std::set<std::string> sent;
  for (const auto& [name, content] : files) {
    bytes += kept.Has(Sha256(content)) || !sent.insert(content).second ? "" : content;
  }
  return bytes;
}

class KeptContentsTest : public testing::Test {
 protected:
  Descriptor Keep(const std::string& bytes, int64_t manifest_bytes) {
    const int file = open(dir_.File(absl::StrCat("kept-", ++count_)).c_str(),
                          O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    std::string all(reinterpret_cast<const char*>(&manifest_bytes), sizeof(manifest_bytes));
    all += bytes;
    EXPECT_EQ(write(file, all.data(), all.size()), static_cast<ssize_t>(all.size()));
    return Descriptor(file);
  }
  Descriptor Keep(const Files& files) {
    return Keep(BytesOf(files), static_cast<int64_t>(ManifestOf(files).size()));
  }

  // What the folder is made of, or why it is not made.
  absl::StatusOr<std::string> Unpack(const Files& files, const KeptContents& kept) {
    const std::string path = dir_.File(absl::StrCat("work-", ++count_));
    EXPECT_EQ(mkdir(path.c_str(), 0700), 0);
    WorkdirOrder order;
    order.sha256 = Sha256(ManifestOf(files));
    order.folder = Descriptor(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::string made;
    WorkdirUnpacker unpacker(
        order, [&](absl::string_view data) { made.append(data.data(), data.size()); });
    absl::Status status = unpacker.Begin(static_cast<int64_t>(ManifestOf(files).size()), &kept);
    for (const char byte : BytesOf(files, kept)) {
      status = status.ok() ? unpacker.Take(std::string(1, byte)) : status;
    }
    status = status.ok() ? unpacker.Finish() : status;
    return status.ok() ? absl::StatusOr<std::string>(made) : status;
  }

  TempDir dir_;
  int count_ = 0;
};

KeptContents Of(Descriptor one, Descriptor other = Descriptor()) {
  std::vector<Descriptor> folders;
  folders.push_back(std::move(one));
  folders.push_back(std::move(other));
  return KeptContents(std::move(folders));
}

const Files kBefore = {
    {"a", "alpha"},
    {"b", "beta" },
    {"c", ""     },
    {"d", "beta" },
    {"e", "end"  }
};

// What is handed on is the whole, so that it can be kept in its turn.
TEST_F(KeptContentsTest, OnlyWhatIsNotKeptHasToCome) {
  const KeptContents kept = Of(Keep(kBefore), Keep({
                                                  {"x", "other"}
  }));
  EXPECT_EQ(kept.Names().size(), 4U);
  Files after = kBefore;
  after[0].second = "changed";
  after[4].second = "other";
  EXPECT_EQ(BytesOf(after, kept), ManifestOf(after) + "changed");
  const auto made = Unpack(after, kept);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(*made, ManifestOf(after) + "changedbetaother");
  EXPECT_TRUE(Unpack(kBefore, kept).ok());
  EXPECT_TRUE(Unpack(after, KeptContents()).ok());
}

TEST_F(KeptContentsTest, ADamagedContentIsNotTaken) {
  Descriptor file = Keep(kBefore);
  ASSERT_EQ(pwrite(file.get(), "X", 1, lseek(file.get(), 0, SEEK_END) - 1), 1);
  const KeptContents kept = Of(std::move(file));
  EXPECT_TRUE(absl::IsDataLoss(Unpack(kBefore, kept).status()));
}

TEST_F(KeptContentsTest, AContentThatIsCutShortIsNotTaken) {
  Descriptor file = Keep(kBefore);
  ASSERT_EQ(ftruncate(file.get(), lseek(file.get(), 0, SEEK_END) - 1), 0);
  const KeptContents kept = Of(std::move(file));
  EXPECT_TRUE(absl::IsDataLoss(Unpack(kBefore, kept).status()));
}

TEST_F(KeptContentsTest, WhatIsNoFolderHasNothing) {
  EXPECT_TRUE(Of(Keep("", 0)).empty());
  EXPECT_TRUE(Of(Keep("no manifest", 11)).empty());
  EXPECT_TRUE(Of(Keep("short", 1 << 20)).empty());
  EXPECT_TRUE(Of(Keep("", -1)).empty());
  EXPECT_TRUE(Of(Keep("", int64_t{1} << 62)).empty());
}

TEST_F(KeptContentsTest, OfTooManyTheLargestAreNamed) {
  Files files;
  for (size_t i = 0; i < KeptContents::kNamesMax + 100; ++i) {
    files.emplace_back(absl::StrCat("f", absl::Dec(i, absl::kZeroPad6)),
                       absl::StrCat("same size ", absl::Dec(i, absl::kZeroPad6)));
  }
  files.emplace_back("large", "larger than all the others");
  files.emplace_back("tiny", "x");
  const KeptContents kept = Of(Keep(files));
  EXPECT_EQ(kept.Names().size(), KeptContents::kNamesMax);
  EXPECT_TRUE(kept.Has(Sha256("larger than all the others")));
  EXPECT_FALSE(kept.Has(Sha256("x")));
}

}  // namespace
}  // namespace berth
