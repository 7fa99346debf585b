#include "scheduler/upload_backup.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "absl/strings/escaping.h"
#include <gtest/gtest.h>

#include "common/credentials.h"
#include "common/error_detail.h"
#include "scheduler/upload_store.h"
#include "tests/testing/temp_dir.h"
#include <sys/stat.h>
#include <unistd.h>

namespace berth {
namespace {

namespace fs = std::filesystem;

constexpr TenantId kSavedTenant(1);
constexpr TenantId kSecondTenant(20);
const absl::Time kTakenAt = absl::FromUnixSeconds(1'700'000'000);

class UploadBackupTest : public testing::Test {
 protected:
  UploadBackupTest() {
    store_.Open().IgnoreError();
    Upload(kSavedTenant, {
                             {"a", "one"},
                             {"b", "two"}
    });
    Upload(kSavedTenant, {
                             {"a",                  "one"},
                             { "c", std::string(700'000,  'x')}
    });
    Upload(kSecondTenant, {
                              {"a", "one"}
    });
  }
  UploadName Upload(TenantId tenant, const std::map<std::string, std::string>& files) {
    v1::WorkdirManifest manifest;
    for (const auto& [path, content] : files) {
      v1::WorkdirEntry& entry = *manifest.add_entries();
      entry.set_kind(v1::WorkdirEntry::KIND_FILE);
      entry.set_path(path);
      entry.set_size(static_cast<int64_t>(content.size()));
      entry.set_sha256(Sha256(content));
      auto receiving = store_.Receive(tenant, entry);
      EXPECT_TRUE((*receiving)->Add(content).ok());
      EXPECT_TRUE((*receiving)->Finish().ok());
    }
    return *store_.Save(tenant, manifest.SerializeAsString(), kTakenAt);
  }
  // Names and contents of all files.
  std::map<std::string, std::string> Files(const std::string& folder) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(dir_.File(folder))) {
      if (entry.is_regular_file()) {
        std::ostringstream text;
        text << std::ifstream(entry.path()).rdbuf();
        files[fs::relative(entry.path(), dir_.File(folder))] = text.str();
      }
    }
    return files;
  }
  absl::StatusOr<UploadBackupFacts> Save() {
    return SaveUploads(dir_.File("uploads"), path_, kTakenAt, [this] { return stopping_; });
  }

  TempDir dir_;
  bool stopping_ = false;
  UploadStore store_{dir_.File("uploads"), UploadOptions{.disk_reserve = 0}};
  const std::string path_ = UploadBackupPath(dir_.File("backup.db"));
};

TEST_F(UploadBackupTest, WhatIsSavedComesBack) {
  const auto saved = Save();
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->uploads, 3);
  EXPECT_LT(saved->size_bytes, 710'000);  // a content is there once for each tenant
  struct stat facts {};
  ASSERT_EQ(stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  EXPECT_EQ(Files(".").count("backup.db.uploads.part"), 0u);
  const auto verified = VerifyUploads(path_);
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(verified->uploads, 3);
  EXPECT_EQ(verified->taken_at, kTakenAt);
  EXPECT_EQ(verified->size_bytes, saved->size_bytes);
  const auto before = Files("uploads");
  fs::rename(dir_.File("uploads"), dir_.File("lost"));
  ASSERT_TRUE(RestoreUploads(path_, dir_.File("uploads"), kTakenAt).ok());
  EXPECT_EQ(Files("uploads"), before);
  // Into what is there it brings what is missing.
  fs::remove_all(dir_.File("uploads/1/manifests"));
  ASSERT_TRUE(RestoreUploads(path_, dir_.File("uploads"), kTakenAt).ok());
  EXPECT_EQ(Files("uploads"), before);
}

TEST_F(UploadBackupTest, NothingIsReplaced) {
  std::ofstream(path_) << "mine";
  EXPECT_EQ(FindDetail(Save().status())->code, "B8212");
  EXPECT_EQ(fs::file_size(path_), 4u);
}

// A rotten content on the disk costs its own uploads, and no backup.
TEST_F(UploadBackupTest, WhatIsDamagedOrHalfIsLeftOut) {
  const UploadName rotten = Upload(kSecondTenant, {
                                                      {"r", "rotten"}
  });
  const UploadName half = Upload(kSecondTenant, {
                                                    {"h", "half"}
  });
  const auto content = [&](const std::string& text) {
    return dir_.File("uploads/20/contents/" + absl::BytesToHexString(Sha256(text)));
  };
  std::ofstream(content("rotten")) << "ROTTEN";
  fs::remove(content("half"));
  const auto saved = Save();
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->uploads, 3);
  EXPECT_TRUE(VerifyUploads(path_).ok());
}

TEST_F(UploadBackupTest, AStopLeavesNothing) {
  stopping_ = true;
  EXPECT_TRUE(absl::IsCancelled(Save().status()));
  EXPECT_FALSE(fs::exists(path_) || fs::exists(path_ + ".part"));
}

TEST_F(UploadBackupTest, ACenterWithoutUploadsHasABackupToo) {
  fs::remove_all(dir_.File("uploads"));
  ASSERT_TRUE(Save().ok());
  EXPECT_EQ(VerifyUploads(path_)->uploads, 0);
  EXPECT_TRUE(RestoreUploads(path_, dir_.File("uploads"), kTakenAt).ok());
}

TEST_F(UploadBackupTest, EveryDamageIsFound) {
  fs::remove_all(dir_.File("uploads/1"));
  ASSERT_TRUE(Save().ok());
  const std::string whole = Files(".").at("backup.db.uploads");
  const auto is_found = [&](const std::string& bytes) {
    std::ofstream(path_) << bytes;
    const auto verified = VerifyUploads(path_);
    return !verified.ok() && FindDetail(verified.status())->code == "B8213";
  };
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    ASSERT_TRUE(is_found(bytes)) << at;
    ASSERT_TRUE(is_found(whole.substr(0, at))) << at;
  }
  EXPECT_TRUE(is_found(whole + "x"));
}

}  // namespace
}  // namespace berth
