#include "sim/synthetic.h"

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "sim/trace_reader.h"

namespace berth::sim {
namespace {

class Generate : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(mkdtemp(folder_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

 private:
  std::string folder_ = testing::TempDir() + "berth-generate-XXXXXX";
};

// What it writes is the workload of that seed, and reads back as such.
TEST_F(Generate, ItsFilesAreWhatReplayReads) {
  const WorkloadOptions options{.seed = 7, .jobs = 500, .nodes = 16};
  ASSERT_TRUE(GenerateWorkload({.workload = options,
                                .jobs = Path("jobs.csv"),
                                .nodes = Path("nodes.csv"),
                                .tenants = Path("tenants.csv")})
                  .ok());
  const Workload workload = MakeWorkload(options);
  const auto jobs = ReadJobs(*CsvReader::Open(Path("jobs.csv")));
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  ASSERT_EQ(jobs->size(), workload.jobs.size());
  for (size_t i = 0; i < jobs->size(); ++i) {
    EXPECT_EQ((*jobs)[i].submit_us, workload.jobs[i].submit_us);
    EXPECT_EQ((*jobs)[i].run_us, workload.jobs[i].run_us);
    EXPECT_EQ((*jobs)[i].devices, workload.jobs[i].gang.devices());
  }
  const auto nodes = ReadNodes(*CsvReader::Open(Path("nodes.csv")), NodeColumns::kWithHosts);
  ASSERT_TRUE(nodes.ok()) << nodes.status();
  ASSERT_EQ(nodes->size(), workload.center.nodes.size());
  auto tenants = CsvReader::Open(Path("tenants.csv"));
  ASSERT_TRUE(tenants.ok()) << tenants.status();
  const int entitlement = *tenants->Column("entitlement");
  for (const SimTenant& tenant : workload.center.tenants) {
    for (const auto& [device_class, limits] : tenant.quotas) {
      ASSERT_TRUE(tenants->Next().value_or(false));
      EXPECT_EQ(*tenants->Integer(entitlement, INT64_MAX), limits.entitlement);
    }
  }
  EXPECT_FALSE(*tenants->Next());
}

TEST_F(Generate, AFileThatCannotBeWrittenAndASizeThatCannotBeAreErrors) {
  const WorkloadOptions options{.seed = 7, .jobs = 5, .nodes = 16};
  EXPECT_FALSE(GenerateWorkload({.workload = options, .jobs = Path("none/jobs.csv")}).ok());
  WorkloadOptions none = options;
  none.jobs = 0;
  EXPECT_FALSE(GenerateWorkload({.workload = none, .jobs = Path("jobs.csv")}).ok());
}

}  // namespace
}  // namespace berth::sim
