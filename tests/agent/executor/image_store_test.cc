#include "agent/executor/image_store.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/testing/temp_dir.h"
#include <sys/stat.h>

namespace berth {
namespace {

class ImageStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(dir_.File("images/small/bin"));
    std::filesystem::create_directories(dir_.File("other"));
    options_.folders = {std::filesystem::canonical(dir_.File("images")).string()};
  }
  // A stand-in for podman that writes down what it is asked.
  void Podman(const std::string& body) {
    options_.podman = dir_.File("podman");
    std::ofstream(options_.podman) << "#!/bin/sh\necho \"$*\" >> " << dir_.File("asked") << "\n"
                                   << body << "\n";
    chmod(options_.podman.c_str(), 0700);
  }
  std::string Asked() {
    std::ifstream file(dir_.File("asked"));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  absl::StatusOr<Image> Find(const std::string& image) {
    EventLoop loop;
    ImageStore store(options_, loop);
    std::optional<absl::StatusOr<Image>> found;
    store.Find(image, [&](const absl::StatusOr<Image>& result) {
      found = result;
      loop.Stop();
    });
    loop.Run();
    return *found;
  }
  std::string Refusal(const std::string& image) {
    return std::string(Find(image).status().message());
  }

  TempDir dir_;
  ImageOptions options_;
};

TEST_F(ImageStoreTest, TakesFoldersBeneathTheOperators) {
  const auto image = Find(dir_.File("images/small"));
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->root, options_.folders[0] + "/small");
}

TEST_F(ImageStoreTest, TakesNoOthersHoweverTheyAreNamed) {
  std::filesystem::create_symlink(dir_.File("other"), dir_.File("images/link"));
  for (const std::string name : {"other", "images/../other", "images/link", "images"}) {
    EXPECT_NE(Refusal(dir_.File(name)).find("is not in one of"), std::string::npos) << name;
  }
  EXPECT_NE(Refusal(dir_.File("images/none")).find("is no folder"), std::string::npos);
  std::ofstream(dir_.File("images/file")) << "x";
  EXPECT_NE(Refusal(dir_.File("images/file")).find("is no folder"), std::string::npos);
  std::filesystem::create_directory(dir_.File("images/a:b"));
  EXPECT_NE(Refusal(dir_.File("images/a:b")).find("must not have"), std::string::npos);
}

TEST_F(ImageStoreTest, PullsWhatPodmanDoesNotHave) {
  Podman(R"(case "$1 $2" in
    "image exists") exit 1 ;;
    "image mount") echo "a warning" >&2; echo /images/merged ;;
    "image inspect") echo =PATH=/opt/bin; echo =A=b=c; echo; echo =EMPTY= ;;
  esac)");
  const auto image = Find("registry.example/a:1");
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->root, "/images/merged");
  EXPECT_EQ(image->environment, (std::map<std::string, std::string>{
                                    {"PATH",  "/opt/bin"},
                                    {"A",     "b=c"     },
                                    {"EMPTY", ""        }
  }));
  EXPECT_EQ(Asked().find("image exists registry.example/a:1\npull --quiet registry.example/a:1\n"
                         "image mount registry.example/a:1\n"),
            0U)
      << Asked();
}

TEST_F(ImageStoreTest, PullsNothingThatIsThere) {
  Podman("[ \"$2\" != mount ] || echo /images/merged");
  ASSERT_TRUE(Find("a:1").ok());
  EXPECT_EQ(Asked().find("pull"), std::string::npos);
}

TEST_F(ImageStoreTest, SaysWhatPodmanSays) {
  Podman("[ \"$1\" != image ] || exit 1; echo 'manifest unknown' >&2; exit 125");
  EXPECT_EQ(Refusal("a:1"), "image a:1: cannot pull it: exit code 125: manifest unknown");
  Podman("[ \"$2\" != mount ] || exit 3");
  EXPECT_EQ(Refusal("a:1"), "image a:1: cannot mount it: exit code 3");
  options_.podman = dir_.File("missing");
  EXPECT_EQ(Refusal("a:1"), "image a:1: this node has no podman");
}

TEST_F(ImageStoreTest, APullThatHangsEndsInTime) {
  Podman("[ \"$1\" != image ] || exit 1; sleep 1000");
  options_.pull_timeout = absl::Milliseconds(200);
  EXPECT_EQ(Refusal("a:1"), "image a:1: cannot pull it: it did not end within 200ms");
}

TEST_F(ImageStoreTest, TheEndStopsAPull) {
  Podman("sleep 1000");
  bool is_told = false;
  EventLoop loop;
  {
    ImageStore store(options_, loop);
    store.Find("a:1", [&is_told](const absl::StatusOr<Image>&) { is_told = true; });
  }
  EXPECT_FALSE(is_told);
}

}  // namespace
}  // namespace berth
