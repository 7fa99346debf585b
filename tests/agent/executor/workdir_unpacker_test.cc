#include "agent/executor/workdir_unpacker.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "common/credentials.h"
#include "tests/testing/temp_dir.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

class Unpacking : public testing::Test {
 protected:
  Unpacking() {
    std::filesystem::create_directories(Path());
    order_.folder = Descriptor(open(Path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  std::string Path(const std::string& name = "") { return dir_.File("work/" + name); }

  v1::WorkdirEntry& Add(v1::WorkdirEntry::Kind kind, const std::string& path) {
    v1::WorkdirEntry& entry = *manifest_.add_entries();
    entry.set_kind(kind);
    entry.set_path(path);
    return entry;
  }
  v1::WorkdirEntry& AddFile(const std::string& path, const std::string& content, uint32_t mode) {
    v1::WorkdirEntry& entry = Add(v1::WorkdirEntry::KIND_FILE, path);
    entry.set_mode(mode);
    entry.set_size(static_cast<int64_t>(content.size()));
    entry.set_sha256(Sha256(content));
    return entry;
  }
  void AddFolder(const std::string& path, uint32_t mode) {
    Add(v1::WorkdirEntry::KIND_FOLDER, path).set_mode(mode);
  }
  void AddLink(const std::string& path, const std::string& target) {
    Add(v1::WorkdirEntry::KIND_LINK, path).set_target(target);
  }

  // The manifest, then `contents`, in pieces of so many bytes.
  absl::Status Unpack(const std::string& contents, size_t piece = 1000) {
    const std::string text = manifest_.SerializeAsString();
    if (order_.sha256.empty()) {
      order_.sha256 = Sha256(text);
    }
    WorkdirUnpacker unpacker(order_);
    absl::Status status = unpacker.Begin(static_cast<int64_t>(text.size()));
    const std::string all = text + contents;
    for (size_t at = 0; status.ok() && at < all.size(); at += piece) {
      status = unpacker.Take(absl::string_view(all).substr(at, piece));
    }
    return status.ok() ? unpacker.Finish() : status;
  }
  std::string Read(const std::string& name) {
    std::ifstream file(Path(name));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  mode_t Mode(const std::string& name) {
    struct stat facts {};
    EXPECT_EQ(lstat(Path(name).c_str(), &facts), 0) << name;
    return facts.st_mode & 07777;
  }

  time_t Modified(const std::string& name) {
    struct stat facts {};
    EXPECT_EQ(lstat(Path(name).c_str(), &facts), 0) << name;
    return facts.st_mtime;
  }

  TempDir dir_;
  WorkdirOrder order_;
  v1::WorkdirManifest manifest_;
};

TEST_F(Unpacking, MakesTheFolderAnew) {
  AddFile("a", "one", 0644);
  AddFolder("d", 0555);
  AddFile("d/b.sh", "two", 0755);
  AddFile("d/same", "one", 0600);
  AddFile("empty", "", 0400);
  AddFile("empty2", "", 0664);
  AddLink("l", "d/b.sh");
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{1000}}) {
    ASSERT_TRUE(EmptyFolder(order_).ok());
    const absl::Status status = Unpack("onetwo", piece);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(Read("a"), "one");
    EXPECT_EQ(Read("d/b.sh"), "two");
    EXPECT_EQ(Read("d/same"), "one");
    EXPECT_EQ(Read("l"), "two");
    EXPECT_EQ(Mode("a"), 0644U);
    EXPECT_EQ(Mode("d/b.sh"), 0755U);
    EXPECT_EQ(Mode("empty"), 0400U);
    EXPECT_EQ(Mode("empty2"), 0664U);
    EXPECT_EQ(Mode("d"), 0755U);  // its owner can always write there
  }
}

// What is told as later than now would be newer than all that is made of it.
TEST_F(Unpacking, FilesKeepTheirTimesButNoneIsInTheFuture) {
  AddFile("a", "one", 0644).set_modified_s(1'000'000'007);
  AddFile("copy", "one", 0644).set_modified_s(1'000'000'009);
  AddFile("empty", "", 0400).set_modified_s(86'400);
  AddFile("future", "two", 0644).set_modified_s(kModifiedMax);
  AddFile("untold", "three", 0644);
  const time_t before = time(nullptr);
  ASSERT_TRUE(Unpack("onetwothree").ok());
  EXPECT_EQ(Modified("a"), 1'000'000'007);
  EXPECT_EQ(Modified("copy"), 1'000'000'009);
  EXPECT_EQ(Modified("empty"), 86'400);
  EXPECT_LE(Modified("future"), time(nullptr));
  EXPECT_GE(Modified("future"), before);
  EXPECT_GE(Modified("untold"), before);
}

TEST_F(Unpacking, AnEmptyFolderIsOne) {
  EXPECT_TRUE(Unpack("").ok());
  EXPECT_TRUE(std::filesystem::is_empty(Path()));
}

TEST_F(Unpacking, TakesNoOtherContentAndNoOtherSize) {
  AddFile("a", "one", 0644);
  EXPECT_EQ(Unpack("two").code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(EmptyFolder(order_).ok());
  EXPECT_EQ(Unpack("on").code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(EmptyFolder(order_).ok());
  EXPECT_EQ(Unpack("ones").code(), absl::StatusCode::kDataLoss);
}

// Rule: only the manifest that the job names.
TEST_F(Unpacking, TakesNoOtherManifest) {
  order_.sha256 = Sha256("another");
  AddFile("a", "one", 0644);
  EXPECT_EQ(Unpack("one").code(), absl::StatusCode::kDataLoss);
  WorkdirUnpacker huge(order_);
  EXPECT_EQ(huge.Begin(kManifestBytesMax + 1).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(std::filesystem::is_empty(Path()));
}

// N35: whatever a scheduler or a client sends, nothing of it comes outside or is no file.
TEST_F(Unpacking, RefusesAttacksBeforeItMakesAnything) {
  const std::vector<std::string> names = {
      "../out", "/tmp/berth-out",      "a/../../out",        "..",
      "",       std::string("z\0", 2), std::string(300, 'n')};
  for (const std::string& name : names) {
    manifest_.Clear();
    order_.sha256.clear();
    AddFile(name, "x", 0644);
    EXPECT_EQ(Unpack("x").code(), absl::StatusCode::kInvalidArgument) << name;
  }
  const auto refuses = [this](const std::string& what) {
    order_.sha256.clear();
    EXPECT_EQ(Unpack("").code(), absl::StatusCode::kInvalidArgument) << what;
    manifest_.Clear();
  };
  manifest_.Clear();
  AddLink("a", "/etc");
  AddFile("a/passwd", "x", 0644);
  refuses("through a link");
  AddLink("a", "../../out");
  refuses("a link out");
  Add(static_cast<v1::WorkdirEntry::Kind>(4), "device");
  refuses("a device");
  AddFile("setuid", "", 06755);
  refuses("setuid");
  AddFile("a", "", 0644).set_size(int64_t{1} << 41);
  refuses("2 TiB");
  for (int i = 0; i < 5000; ++i) {
    AddFile(absl::StrCat("f", 10000 + i), "x", 0644).set_size(int64_t{1} << 30);
  }
  refuses("a bomb of equal contents");
  EXPECT_TRUE(std::filesystem::is_empty(Path()));
  EXPECT_FALSE(std::filesystem::exists(dir_.File("out")));
}

TEST_F(Unpacking, AMillionEntriesAreRefusedAtOnce) {
  std::string text;
  for (int i = 0; i < 1'000'000; ++i) {
    text += std::string("\x0a\0", 2);
  }
  order_.sha256 = Sha256(text);
  WorkdirUnpacker unpacker(order_);
  ASSERT_TRUE(unpacker.Begin(static_cast<int64_t>(text.size())).ok());
  EXPECT_EQ(unpacker.Take(text).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(std::filesystem::is_empty(Path()));
}

// N32: somebody of the same user swaps a folder for a link while it is filled.
TEST_F(Unpacking, FollowsNoLinkThatIsPutInItsWay) {
  std::filesystem::create_directories(dir_.File("out"));
  AddFile("a", "one", 0644);
  AddFolder("d", 0755);
  AddFile("d/b", "two", 0644);
  const std::string text = manifest_.SerializeAsString();
  order_.sha256 = Sha256(text);
  WorkdirUnpacker unpacker(order_);
  ASSERT_TRUE(unpacker.Begin(static_cast<int64_t>(text.size())).ok());
  ASSERT_TRUE(unpacker.Take(text).ok());
  std::filesystem::remove(Path("d"));
  std::filesystem::create_directory_symlink("../out", Path("d"));
  EXPECT_FALSE(unpacker.Take("one").ok());
  EXPECT_TRUE(std::filesystem::is_empty(dir_.File("out")));
}

TEST_F(Unpacking, OverwritesNothing) {
  std::ofstream(Path("a")) << "there";
  AddFile("a", "one", 0644);
  EXPECT_FALSE(Unpack("one").ok());
  EXPECT_EQ(Read("a"), "there");
}

TEST_F(Unpacking, FilesBelongToTheTask) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "only root can make files of another user";
  }
  order_.owner = {.user_id = 70001, .group_id = 70002};
  ASSERT_EQ(chown(Path().c_str(), 70001, 70002), 0);
  ASSERT_EQ(chmod(dir_.path().c_str(), 0711), 0);
  AddFile("a", "one", 0644);
  AddFolder("d", 0700);
  {
    const absl::Status status = Unpack("one");
    ASSERT_TRUE(status.ok()) << status;
    const ActAsOwner act(order_.owner);
    ASSERT_TRUE(act.status().ok()) << act.status();
    // No more rights than the task: not into a folder of root's.
    EXPECT_LT(open(dir_.File("x").c_str(), O_WRONLY | O_CREAT, 0600), 0);
  }
  for (const char* name : {"a", "d"}) {
    struct stat facts {};
    ASSERT_EQ(lstat(Path(name).c_str(), &facts), 0);
    EXPECT_EQ(facts.st_uid, 70001U);
    EXPECT_EQ(facts.st_gid, 70002U);
  }
  EXPECT_GE(open(dir_.File("x").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), 0);
}

TEST_F(Unpacking, EmptiesAFolderAndNothingElse) {
  std::filesystem::create_directories(Path("d/e/f"));
  std::ofstream(Path("d/e/f/a")) << "x";
  std::filesystem::create_directories(dir_.File("out"));
  std::ofstream(dir_.File("out/kept")) << "x";
  std::filesystem::create_directory_symlink("../../out", Path("d/link"));
  EXPECT_TRUE(EmptyFolder(order_).ok());
  EXPECT_TRUE(std::filesystem::is_empty(Path()));
  EXPECT_TRUE(std::filesystem::exists(dir_.File("out/kept")));
}

}  // namespace
}  // namespace berth
