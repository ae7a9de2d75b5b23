"""The parts of the document that are the same for every model (Cog's own skeleton)."""

from __future__ import annotations

from typing import Any

__all__ = ["PATHS", "SCHEMAS"]

SCHEMAS: dict[str, dict[str, Any]] = {
    "PredictionRequest": {
        "properties": {"id": {"title": "Id", "type": "string"}, "input": {"$ref": "#/components/schemas/Input"}},
        "title": "PredictionRequest",
        "type": "object",
    },
    "PredictionResponse": {
        "properties": {
            "completed_at": {"format": "date-time", "title": "Completed At", "type": "string"},
            "created_at": {"format": "date-time", "title": "Created At", "type": "string"},
            "error": {"title": "Error", "type": "string"},
            "id": {"title": "Id", "type": "string"},
            "input": {"$ref": "#/components/schemas/Input"},
            "logs": {"title": "Logs", "type": "string"},
            "metrics": {"title": "Metrics", "type": "object"},
            "output": {"$ref": "#/components/schemas/Output"},
            "started_at": {"format": "date-time", "title": "Started At", "type": "string"},
            "status": {"title": "Status", "type": "string"},
            "version": {"title": "Version", "type": "string"},
        },
        "title": "PredictionResponse",
        "type": "object",
    },
    "Status": {
        "description": "An enumeration.",
        "enum": ["starting", "processing", "succeeded", "canceled", "failed"],
        "title": "Status",
        "type": "string",
    },
    "HTTPValidationError": {
        "properties": {
            "detail": {"items": {"$ref": "#/components/schemas/ValidationError"}, "title": "Detail", "type": "array"}
        },
        "title": "HTTPValidationError",
        "type": "object",
    },
    "ValidationError": {
        "properties": {
            "loc": {
                "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                "title": "Location",
                "type": "array",
            },
            "msg": {"title": "Message", "type": "string"},
            "type": {"title": "Error Type", "type": "string"},
        },
        "required": ["loc", "msg", "type"],
        "title": "ValidationError",
        "type": "object",
    },
}

PATHS: dict[str, dict[str, Any]] = {
    "/": {
        "get": {
            "operationId": "root__get",
            "responses": {
                "200": {"content": {"application/json": {"schema": {}}}, "description": "Successful Response"}
            },
            "summary": "Root",
        }
    },
    "/health-check": {
        "get": {
            "operationId": "healthcheck_health_check_get",
            "responses": {
                "200": {"content": {"application/json": {"schema": {}}}, "description": "Successful Response"}
            },
            "summary": "Healthcheck",
        }
    },
    "/predictions": {
        "post": {
            "description": "Run a single prediction on the model",
            "operationId": "predict_predictions_post",
            "requestBody": {
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PredictionRequest"}}}
            },
            "responses": {
                "200": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PredictionResponse"}}},
                    "description": "Successful Response",
                },
                "422": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/HTTPValidationError"}}},
                    "description": "Validation Error",
                },
            },
            "summary": "Predict",
        }
    },
    "/predictions/{prediction_id}/cancel": {
        "post": {
            "operationId": "cancel_predictions__prediction_id__cancel_post",
            "parameters": [
                {
                    "in": "path",
                    "name": "prediction_id",
                    "required": True,
                    "schema": {"title": "Prediction Id", "type": "string"},
                }
            ],
            "responses": {
                "200": {"content": {"application/json": {"schema": {}}}, "description": "Successful Response"},
                "422": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/HTTPValidationError"}}},
                    "description": "Validation Error",
                },
            },
            "summary": "Cancel",
        }
    },
}
