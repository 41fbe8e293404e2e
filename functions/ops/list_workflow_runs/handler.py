"""GET /admin/workflow-runs: runs of workflows, newest first."""

from presage.edge.http import api
from presage.ops.oversight import ListWorkflowRuns, WorkflowRunView, list_workflow_runs

handler = api("list_workflow_runs", list_workflow_runs, ListWorkflowRuns, WorkflowRunView)
