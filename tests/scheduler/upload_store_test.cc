#include "scheduler/upload_store.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/credentials.h"
#include "tests/testing/temp_dir.h"
#include <unistd.h>

namespace berth {
namespace {

constexpr TenantId kAcme(1);
constexpr TenantId kOther(2);
const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

v1::WorkdirManifest ManifestOf(const std::map<std::string, std::string>& files) {
  v1::WorkdirManifest manifest;
  for (const auto& [path, content] : files) {
    v1::WorkdirEntry& entry = *manifest.add_entries();
    entry.set_kind(v1::WorkdirEntry::KIND_FILE);
    entry.set_path(path);
    entry.set_mode(0644);
    entry.set_size(static_cast<int64_t>(content.size()));
    entry.set_sha256(Sha256(content));
  }
  return manifest;
}

std::string ReadAll(int file) {
  std::string text(4096, '\0');
  text.resize(static_cast<size_t>(read(file, text.data(), text.size())));
  return text;
}

class UploadStoreTest : public testing::Test {
 protected:
  UploadStoreTest() { Reopen(); }
  void Reopen() {
    store_ = std::make_unique<UploadStore>(dir_.File("uploads"), options_);
    ASSERT_TRUE(store_->Open().ok());
  }
  absl::Status Send(TenantId tenant, const v1::WorkdirEntry& entry, const std::string& content) {
    auto receiving = store_->Receive(tenant, entry);
    if (!receiving.ok()) {
      return receiving.status();
    }
    const absl::Status added = (*receiving)->Add(content);
    return added.ok() ? (*receiving)->Finish() : added;
  }
  // As a client does it. Returns how many contents were sent in `sent`.
  absl::StatusOr<UploadName> Upload(TenantId tenant,
                                    const std::map<std::string, std::string>& files,
                                    absl::Time now = kStart) {
    const v1::WorkdirManifest manifest = ManifestOf(files);
    const auto lacking = store_->FindLacking(tenant, manifest, now);
    if (!lacking.ok()) {
      return lacking.status();
    }
    sent_ = static_cast<int>(lacking->size());
    for (const int index : *lacking) {
      const v1::WorkdirEntry& entry = manifest.entries(index);
      if (const absl::Status status = Send(tenant, entry, files.at(entry.path())); !status.ok()) {
        return status;
      }
    }
    return store_->Save(tenant, manifest.SerializeAsString(), now);
  }
  std::vector<UploadName> Expired(absl::Time now) { return store_->FindExpired(now, 100); }
  int FilesIn(const std::string& folder) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.File("uploads/" + folder))) {
      count += entry.is_regular_file() ? 1 : 0;
    }
    return count;
  }

  TempDir dir_;
  UploadOptions options_{
      .limits = {.size_max = 1000, .entries_max = 10},
      .tenant_size_max = 4000,
      .disk_reserve = 0,
      .keep = absl::Hours(24),
      .keep_when_crowded = absl::Hours(1)
  };
  std::unique_ptr<UploadStore> store_;
  int sent_ = 0;
};

TEST_F(UploadStoreTest, KeepsWhatCameAndAsksForTheRest) {
  const auto first = Upload(kAcme, {
                                       {"a",     "one"},
                                       {"b",     "two"},
                                       {"c",     "one"},
                                       {"empty", ""   }
  });
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(sent_, 3);
  const auto again = Upload(kAcme, {
                                       {"a",     "one"},
                                       {"b",     "two"},
                                       {"c",     "one"},
                                       {"empty", ""   }
  });
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(sent_, 0);
  EXPECT_EQ(again->sha256, first->sha256);
  Reopen();
  ASSERT_TRUE(Upload(kAcme,
                     {
                         {"a", "one"  },
                         {"b", "three"}
  })
                  .ok());
  EXPECT_EQ(sent_, 1);
  const auto file = store_->OpenContent(kAcme, Sha256("three"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(ReadAll(file->get()), "three");
  const auto manifest = store_->ReadManifest(*first);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(Sha256(*manifest), first->sha256);
}

// Rule: a tenant must not learn by asking whether another one has a content.
TEST_F(UploadStoreTest, TenantsShareNothing) {
  const auto acme = Upload(kAcme, {
                                      {"a", "secret"}
  });
  ASSERT_TRUE(acme.ok());
  EXPECT_EQ(store_
                ->FindLacking(kOther,
                              ManifestOf({
                                  {"a", "secret"}
  }),
                              kStart)
                ->size(),
            1U);
  EXPECT_EQ(store_->Use({kOther, acme->sha256}, kStart).code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(store_->ReadManifest({kOther, acme->sha256}).ok());
  EXPECT_FALSE(store_->OpenContent(kOther, Sha256("secret")).ok());
  EXPECT_FALSE(store_
                   ->Save(kOther,
                          ManifestOf({
                                         {"a", "secret"}
  })
                              .SerializeAsString(),
                          kStart)
                   .ok());
}

TEST_F(UploadStoreTest, RefusesAnotherContent) {
  const v1::WorkdirEntry entry = ManifestOf({
                                                {"a", "one"}
  })
                                     .entries(0);
  EXPECT_EQ(Send(kAcme, entry, "two").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Send(kAcme, entry, "on").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Send(kAcme, entry, "ones").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FilesIn("1/contents"), 0);
  EXPECT_FALSE(store_
                   ->Save(kAcme,
                          ManifestOf({
                                         {"a", "one"}
  })
                              .SerializeAsString(),
                          kStart)
                   .ok());
}

TEST_F(UploadStoreTest, RefusesAManifestThatLeadsOut) {
  v1::WorkdirManifest manifest = ManifestOf({
      {"a", ""}
  });
  manifest.mutable_entries(0)->set_path("../a");
  EXPECT_EQ(store_->Save(kAcme, manifest.SerializeAsString(), kStart).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->Save(kAcme, "no manifest", kStart).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(UploadStoreTest, BoundsWhatATenantHolds) {
  for (const char letter : {'a', 'b', 'c'}) {
    ASSERT_TRUE(Upload(kAcme,
                       {
                           {"f", std::string(1000, letter)}
    })
                    .ok())
        << letter;
  }
  const absl::Status full = Upload(kAcme,
                                   {
                                       {"f", std::string(1000, 'd')}
  })
                                .status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  Reopen();  // counted again from what is there
  EXPECT_FALSE(Upload(kAcme,
                      {
                          {"f", std::string(1000, 'd')}
  })
                   .ok());
  EXPECT_TRUE(Upload(kAcme,
                     {
                         {"f", std::string(1000, 'a')}
  })
                  .ok());  // brings nothing
  EXPECT_TRUE(Upload(kOther,
                     {
                         {"f", std::string(1000, 'd')}
  })
                  .ok());
}

// Names take room, too, and what is there already may be used by a tenant that has none left.
TEST_F(UploadStoreTest, BoundsManifestsAndTakesWhatIsThere) {
  options_.tenant_size_max = 300;
  Reopen();
  const auto folder_of = [](const std::string& name) {
    v1::WorkdirManifest manifest;
    v1::WorkdirEntry& entry = *manifest.add_entries();
    entry.set_kind(v1::WorkdirEntry::KIND_FOLDER);
    entry.set_mode(0755);
    entry.set_path(name);
    return manifest.SerializeAsString();
  };
  ASSERT_TRUE(store_->Save(kAcme, folder_of(std::string(200, 'a')), kStart).ok());
  EXPECT_EQ(store_->Save(kAcme, folder_of(std::string(200, 'b')), kStart).status().code(),
            absl::StatusCode::kResourceExhausted);
  options_.tenant_size_max = 100;
  Reopen();
  EXPECT_TRUE(store_->Save(kAcme, folder_of(std::string(200, 'a')), kStart).ok());
}

TEST_F(UploadStoreTest, LeavesRoomOnTheDisk) {
  options_.disk_reserve = INT64_MAX / 2;
  Reopen();
  EXPECT_EQ(Upload(kAcme,
                   {
                       {"a", "one"}
  })
                .status()
                .code(),
            absl::StatusCode::kResourceExhausted);
}

// Rule: what is unused leaves, what was used meanwhile stays, and so does what others share.
TEST_F(UploadStoreTest, RemovesWhatNobodyUses) {
  const auto old = Upload(kAcme, {
                                     {"a", "one"   },
                                     {"b", "shared"}
  });
  const auto used = Upload(kAcme, {
                                      {"a", "two"   },
                                      {"b", "shared"}
  });
  ASSERT_TRUE(old.ok() && used.ok());
  EXPECT_TRUE(Expired(kStart + absl::Hours(24)).empty());
  const absl::Time later = kStart + absl::Hours(25);
  const std::vector<UploadName> expired = Expired(later);
  EXPECT_EQ(expired.size(), 2U);
  ASSERT_TRUE(store_->Use(*used, later).ok());  // a submission between question and answer
  store_->Remove(expired, later);
  store_->RemoveLooseContents(later);
  EXPECT_EQ(store_->Use(*old, later).code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(store_->OpenContent(kAcme, Sha256("one")).ok());
  EXPECT_TRUE(store_->OpenContent(kAcme, Sha256("two")).ok());
  EXPECT_TRUE(store_->OpenContent(kAcme, Sha256("shared")).ok());
}

// Rule: what an upload that is under way counts on is not removed.
TEST_F(UploadStoreTest, KeepsContentsThatAnUploadCountsOn) {
  ASSERT_TRUE(Upload(kAcme,
                     {
                         {"a", "one"}
  })
                  .ok());
  const absl::Time later = kStart + absl::Hours(25);
  const v1::WorkdirManifest next = ManifestOf({
      {"a", "one"},
      {"b", ""   }
  });
  const auto lacking = store_->FindLacking(kAcme, next, later);
  ASSERT_TRUE(lacking.ok()) << lacking.status();
  EXPECT_EQ(*lacking, std::vector<int>{1});
  store_->Remove(Expired(later), later);
  store_->RemoveLooseContents(later);
  EXPECT_TRUE(store_->OpenContent(kAcme, Sha256("one")).ok());
  ASSERT_TRUE(Send(kAcme, next.entries(1), "").ok());
  EXPECT_TRUE(store_->Save(kAcme, next.SerializeAsString(), later).ok());
}

TEST_F(UploadStoreTest, ACrowdedTenantKeepsLess) {
  ASSERT_TRUE(Upload(kAcme,
                     {
                         {"f", "x"}
  })
                  .ok());
  EXPECT_TRUE(Expired(kStart + absl::Hours(2)).empty());
  for (const char letter : {'a', 'b', 'c'}) {
    ASSERT_TRUE(Upload(kAcme,
                       {
                           {"f", std::string(999, letter)}
    })
                    .ok())
        << letter;
  }
  EXPECT_EQ(Expired(kStart + absl::Hours(2)).size(), 4U);
}

// Rule: a crash at any moment leaves whole files under their names, and nothing else for long.
TEST_F(UploadStoreTest, ACrashLeavesNothingInHalf) {
  const v1::WorkdirManifest manifest = ManifestOf({
      {"a", "one"}
  });
  auto receiving = store_->Receive(kAcme, manifest.entries(0));
  ASSERT_TRUE(receiving.ok());
  ASSERT_TRUE((*receiving)->Add("on").ok());
  std::ofstream(dir_.File("uploads/1/manifests/.new-7")) << "half";
  EXPECT_EQ(FilesIn("1/contents"), 1);
  Reopen();
  EXPECT_EQ(store_->FindLacking(kAcme, manifest, kStart)->size(), 1U);
  EXPECT_EQ(FilesIn("1/contents"), 0);
  EXPECT_EQ(FilesIn("1/manifests"), 0);
  std::filesystem::create_directories(dir_.File("uploads/2"));  // and nothing in it yet
  Reopen();
  EXPECT_TRUE(Upload(kOther,
                     {
                         {"a", "one"}
  })
                  .ok());
}

// A file that lost its end with the disk's power is asked for again.
TEST_F(UploadStoreTest, AShorterFileIsLacking) {
  ASSERT_TRUE(Upload(kAcme,
                     {
                         {"a", "one"}
  })
                  .ok());
  for (const auto& entry : std::filesystem::directory_iterator(dir_.File("uploads/1/contents"))) {
    ASSERT_EQ(truncate(entry.path().c_str(), 1), 0);
  }
  ASSERT_TRUE(Upload(kAcme,
                     {
                         {"a", "one"}
  })
                  .ok());
  EXPECT_EQ(sent_, 1);
  EXPECT_EQ(ReadAll(store_->OpenContent(kAcme, Sha256("one"))->get()), "one");
}

}  // namespace
}  // namespace berth
