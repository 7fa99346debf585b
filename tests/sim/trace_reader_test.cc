#include "sim/trace_reader.h"

#include <string>

#include <gtest/gtest.h>

namespace berth::sim {
namespace {

constexpr char kHeader[] = "job_id,submit_s,run_s,gpus,req_s,user,vc,status\n";

std::string JobsError(const std::string& text) {
  absl::StatusOr<CsvReader> csv = CsvReader::Parse("jobs.csv", text);
  if (!csv.ok()) {
    return std::string(csv.status().message());
  }
  return std::string(ReadJobs(*std::move(csv)).status().message());
}

TEST(TraceReader, ReadsJobs) {
  const auto jobs = ReadJobs(*CsvReader::Parse(
      "jobs.csv", std::string(kHeader) +
                      "1,0,97225,56,210000,u7,all,\r\n\n\"x,2\",0.25,1.5,8,,,\"v\"\"c\",\n"));
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  ASSERT_EQ(jobs->size(), 2u);
  EXPECT_EQ((*jobs)[0].run_us, 97225000000);
  EXPECT_EQ((*jobs)[0].request_us, 210000000000);
  EXPECT_EQ((*jobs)[0].user, "u7");
  EXPECT_EQ((*jobs)[1].id, "x,2");
  EXPECT_EQ((*jobs)[1].submit_us, 250000);
  EXPECT_EQ((*jobs)[1].request_us, 1500000) << "without a request the run time is known";
  EXPECT_EQ((*jobs)[1].vc, "v\"c");
}

TEST(TraceReader, ErrorsNameFileLineAndWhatIsExpected) {
  const std::string header = kHeader;
  EXPECT_EQ(JobsError(""),
            "jobs.csv:1: the file is empty; it must begin with a line of column names");
  EXPECT_EQ(JobsError(header), "jobs.csv:1: there is no job after the header");
  EXPECT_EQ(JobsError("job_id,submit_s,gpus\n1,0,1\n"),
            "jobs.csv:1: column \"run_s\" is missing; the file has job_id,submit_s,gpus");
  EXPECT_EQ(JobsError(header + "1,0,5,1,,,,\n2,0,-5,1,,,,\n"),
            "jobs.csv:3: run_s is \"-5\"; it must be a number of seconds from 0 to 1e10");
  EXPECT_EQ(JobsError(header + "1,nan,5,1,,,,\n"),
            "jobs.csv:2: submit_s is \"nan\"; it must be a number of seconds from 0 to 1e10");
  EXPECT_EQ(JobsError(header + "1,0,5,1.5,,,,\n"),
            "jobs.csv:2: gpus is \"1.5\"; it must be a whole number from 0 to 10000000");
  EXPECT_EQ(JobsError(header + "1,0,5,1,soon,,,\n"),
            "jobs.csv:2: req_s is \"soon\"; it must be a number of seconds from 0 to 1e10");
  EXPECT_EQ(JobsError(header + "1,0,5,1\n"), "jobs.csv:2: has 4 fields, the header has 8");
  EXPECT_EQ(JobsError(header + ",0,5,1,,,,\n"),
            "jobs.csv:2: the first field, which names the row, is empty");
  EXPECT_EQ(JobsError(header + "1,0,5,1,,,,\n1,0,5,1,,,,\n"), "jobs.csv:3: \"1\" is there twice");
  EXPECT_EQ(JobsError(header + "1,9,5,1,,,,\n2,8,5,1,,,,\n"),
            "jobs.csv:3: job 2 was submitted before job 1 of the row above; sort the file by "
            "submit_s");
  EXPECT_EQ(JobsError(header + "1,0,\"5,1,,,,\n"), "jobs.csv:2: a quote is not closed");
}

TEST(TraceReader, WhatIsNotAFileIsNamed) {
  EXPECT_EQ(CsvReader::Open("/nonexistent/jobs.csv").status().message(),
            "/nonexistent/jobs.csv: cannot be read (No such file or directory); give the path of a "
            "CSV file");
  EXPECT_EQ(CsvReader::Open("/").status().message(),
            "/: cannot be read (Is a directory); give the path of a CSV file");
}

TEST(TraceReader, ReadsNodes) {
  const auto nodes = ReadNodes(
      *CsvReader::Parse("nodes.csv", "sn,cpu_milli,memory_mib,gpu,model\nn1,96000,1024,8,T4\n"),
      NodeColumns::kWithHosts);
  ASSERT_TRUE(nodes.ok()) << nodes.status();
  EXPECT_EQ((*nodes)[0].model, "T4");
  EXPECT_EQ((*nodes)[0].devices, 8);
  EXPECT_EQ((*nodes)[0].cpu_milli, 96000);
  const std::string plain = "sn,gpu\nn1,8\n";
  EXPECT_TRUE(ReadNodes(*CsvReader::Parse("nodes.csv", plain), NodeColumns::kDevicesOnly).ok());
  EXPECT_EQ(
      ReadNodes(*CsvReader::Parse("nodes.csv", plain), NodeColumns::kWithHosts).status().message(),
      "nodes.csv:1: column \"cpu_milli\" is missing; the file has sn,gpu");
}

TEST(TraceReader, ReadsPods) {
  const auto pods =
      ReadPods(*CsvReader::Parse("pods.csv",
                                 "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\np1,100,5,1,"
                                 "250,A|B\np2,0,0,0,0,\np3,1,1,2,500,\n"));
  ASSERT_TRUE(pods.ok()) << pods.status();
  EXPECT_EQ((*pods)[0].device_milli, 250);
  EXPECT_EQ((*pods)[0].models, "A|B");
  EXPECT_EQ((*pods)[1].devices, 0);
  EXPECT_EQ((*pods)[2].device_milli, 1000) << "more than one device means whole ones";
  EXPECT_EQ(
      ReadPods(*CsvReader::Parse("pods.csv", "name,cpu_milli,num_gpu,gpu_milli\np,1,1,1001\n"))
          .status()
          .message(),
      "pods.csv:2: gpu_milli is \"1001\"; it must be a whole number from 0 to 1000");
  EXPECT_EQ(ReadPods(*CsvReader::Parse("pods.csv", "name,cpu_milli,num_gpu,gpu_milli\np,1,2,0\n"))
                .status()
                .message(),
            "pods.csv:2: asks for 2 devices of 0 milli each");
}

}  // namespace
}  // namespace berth::sim
